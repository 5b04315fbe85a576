// The choice of the format and the sample rate of downloads: it changes the links at once, and is remembered here.
const KEY = "download-format";

const form = document.getElementById("download-format");
const { format, rate } = form.elements;

/** Disable the sample rates that the format cannot have, each with the reason, and leave one of them for another. */
function offerRates() {
  const refusals = JSON.parse(format.selectedOptions[0].dataset.refusals || "{}");
  for (const option of rate.options) {
    const reason = refusals[option.value];
    option.disabled = Boolean(reason);
    option.textContent = reason ? `${option.dataset.title} – ${reason}` : option.dataset.title;
  }
  if (rate.selectedOptions[0].disabled) rate.value = [...rate.options].find((option) => !option.disabled).value;
}

function withChoice(address) {
  const url = new URL(address, location.href);
  url.searchParams.set("format", format.value);
  if (rate.value) url.searchParams.set("rate", rate.value);
  else url.searchParams.delete("rate");
  return url.pathname + url.search;
}

function changeLinks() {
  for (const link of document.querySelectorAll("main a[download]")) {
    if (link.dataset.mix) link.dataset.mix = withChoice(link.dataset.mix); // the player adds the levels to it
    if (link.hasAttribute("href")) link.setAttribute("href", withChoice(link.getAttribute("href")));
  }
}

/** What was chosen here before; null if nothing was, or if the browser stores nothing. */
function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null;
  }
}

function remember() {
  try {
    localStorage.setItem(KEY, JSON.stringify({ format: format.value, rate: rate.value }));
  } catch {
    // the browser stores nothing
  }
}

/** Select what was chosen before, where this song can be downloaded so. */
function recall(choice) {
  for (const [select, value] of [[format, choice.format], [rate, choice.rate]]) {
    const option = [...select.options].find((one) => one.value === value);
    if (option && !option.disabled) select.value = value;
  }
}

form.querySelector("button").hidden = true;
form.addEventListener("change", () => {
  offerRates();
  changeLinks();
  remember();
});
const before = remembered();
if (before && !form.dataset.chosen) {
  recall(before);
  offerRates();
  changeLinks();
}
