// The words that people read, in the page's language: the English sentence is the key to its translation.
const language = document.documentElement.lang;
const translations = language === "en" ? {} : await fetched(`/static/words/${language}.json`);

async function fetched(url) {
  try {
    return await (await fetch(url)).json();
  } catch {
    return {}; // English is better than nothing
  }
}

export function say(sentence, values = {}) {
  return (translations[sentence] ?? sentence).replace(/\{(\w+)\}/g, (blank, name) => values[name] ?? blank);
}
