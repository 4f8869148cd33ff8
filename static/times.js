/* Shows each <time> in the browser's own zone; the UTC time that the server wrote becomes its title. */
// The pages are in English, so is the date; how it is written follows the reader's region where that is one of English.
const locale = navigator.languages.find((language) => language.startsWith("en-")) ?? "en-GB";
const inZone = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });

const localise = (root) => {
  for (const time of root.querySelectorAll("time[datetime]:not([title])")) {
    const moment = new Date(time.dateTime);
    if (Number.isNaN(moment.valueOf())) continue;
    time.title = time.textContent;
    time.textContent = inZone.format(moment);
  }
};

localise(document);
document.addEventListener("htmx:afterSwap", (event) => localise(event.target));
