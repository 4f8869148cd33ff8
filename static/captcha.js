/* Draws the captcha of a third party: on a form's own page, and for the embedded form, which imports it. */

// The widest of the three; they have a small shape as well.
const USUAL_WIDTH = 304;
const UNSOLVED = "Please finish the check above first. If it does not work, press the button once more.";

const loading = new Map();

const load = ({ script, api }) => {
  // The page may use it for a form of its own.
  if (window[api]?.render) return Promise.resolve(window[api]);
  if (!loading.has(api)) {
    loading.set(api, new Promise((resolve, reject) => {
      const ready = `signupCaptchaReady_${api}`;
      window[ready] = () => resolve(window[api]);
      const address = new URL(script);
      address.searchParams.set("onload", ready);
      address.searchParams.set("render", "explicit");
      const element = document.createElement("script");
      element.src = address;
      element.onerror = () => reject(new Error(`${api} cannot be loaded.`));
      document.head.append(element);
    }));
  }
  return loading.get(api);
};

/* `place` must not be inside a shadow root: none of them works there. */
export const draw = async (place, { script, api, site_key, action }) => {
  const drawer = await load({ script, api });
  const size = place.clientWidth < USUAL_WIDTH ? "compact" : "normal";
  const widget = drawer.render(place, { sitekey: site_key, size, ...(action && { action }) });
  let asked = false;
  return {
    answer: () => drawer.getResponse(widget) || undefined,
    // An answer is good for one try.
    reset: () => {
      asked = false;
      drawer.reset(widget);
    },
    // What to tell somebody who has not solved it; the second time nothing, so that nobody is locked out: without
    // an answer the service looks twice at the sign-up, but it takes it.
    objection: () => {
      if (asked || drawer.getResponse(widget)) return "";
      asked = true;
      return UNSOLVED;
    },
  };
};

for (const place of document.querySelectorAll("[data-captcha]")) {
  let drawn;
  draw(place, JSON.parse(place.dataset.captcha)).then((done) => { drawn = done; }, () => {});
  place.closest("form").addEventListener("submit", (event) => {
    const objection = drawn?.objection();
    place.nextElementSibling.textContent = objection ?? "";
    if (objection) event.preventDefault();
  });
}
