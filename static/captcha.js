/* Shows a third party's captcha widget on a form's own page. embed.js imports it for the embedded form. */

// Pixels of the widest widget of the three providers; below that the compact one is shown.
const USUAL_WIDTH = 304;
const UNSOLVED = "Please finish the check above first. If it does not work, press the button once more.";

const loading = new Map();

const load = ({ script, api }) => {
  // The page may have loaded the provider's script for a form of its own.
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

/* Show the widget in the element `place`, which must not be inside a shadow root: no provider works there. */
export const draw = async (place, { script, api, site_key, action }) => {
  const drawer = await load({ script, api });
  const size = place.clientWidth < USUAL_WIDTH ? "compact" : "normal";
  const widget = drawer.render(place, { sitekey: site_key, size, ...(action && { action }) });
  let asked = false;
  return {
    answer: () => drawer.getResponse(widget) || undefined,
    // A captcha answer is valid for one request.
    reset: () => {
      asked = false;
      drawer.reset(widget);
    },
    // Return a message if the captcha is not solved; the second time none, so that nobody is locked out: without an
    // answer the service accepts the sign-up as suspected.
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
