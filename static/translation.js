// Translation of the sentences that scripts show; the English sentence is the key.
const language = document.documentElement.lang;
const translations = language === "en" ? {} : await fetchJson(new URL(`translations/${language}.json`, import.meta.url));

async function fetchJson(url) {
  try {
    return await (await fetch(url)).json();
  } catch {
    return {}; // without translations, the page's scripts speak English
  }
}

/** The sentence in the page's language, with each {placeholder} replaced by its value. */
export function translate(sentence, values = {}) {
  return (translations[sentence] ?? sentence).replace(/\{(\w+)\}/g, (found, name) => values[name] ?? found);
}
