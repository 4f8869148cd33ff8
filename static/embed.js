/* Draws a sign-up form of this service on any page: <script src="…/embed.js" data-form="slug" async></script>
   No dependency. It lives in a shadow root, so neither side's styles reach the other; colours and shape are set
   by --signup-accent, --signup-accent-text, --signup-error, --signup-radius on an element around it.
   Optional: data-target="#selector" (where to draw), data-button="Sign up".
   Once it runs it also draws in each <div data-signup-form="slug">, and what a page adds later: a script that comes
   in by innerHTML does not run by itself. */
(() => {
  "use strict";
  // Neither a module nor a script in another shadow root is told which element it is.
  const own = document.currentScript ?? document.querySelector("script[src*='/embed.js']");
  const base = new URL(".", own.src).href;
  const TIMEOUT = 20000;
  const PROOF_GOOD = 9 * 60 * 1000; // a challenge lives for ten minutes
  const TOKEN_GOOD = 23 * 60 * 60 * 1000; // a token lives for a day
  const TOKEN_RIPE = 2100; // and for its first two seconds it looks like a program's
  const UNREACHABLE = "This could not be sent. Please check your connection and try again; what you typed is still here.";
  // The same for everybody: whether an address was known before is nobody else's business.
  // Also after the form's own words: the account may ask for a confirmation, which they need not say.
  const CONFIRM = "If an e-mail asks you to confirm, please do.";
  const THANKS = `Thank you. ${CONFIRM}`;
  // An address begins after what cannot be a part of one, and names no user before its host; see `linked`.
  const HOST_END = "\\s/?#@:<>\"“”«»()\\[\\]{},;!'’…|\\\\^`";
  const ADDRESS = new RegExp(`(^|[^A-Za-z0-9_@./-])((?:https?://|www\\.)(?![^\\s/?#]*@)[^${HOST_END}.][^${HOST_END}]*(?::[0-9]+)?(?:[/?#][^\\s<>"“”«»]*)?)`, "gi");
  const UNAVAILABLE = "Sorry, this form cannot be shown at the moment.";

  const STYLE = `
    :host { display: block; font: inherit; color: inherit; text-align: start; max-inline-size: 30rem; }
    form, p { margin: 0; }
    form { display: grid; gap: 1em; }
    label { display: block; }
    input:not([type=checkbox]), select, textarea, button { box-sizing: border-box; inline-size: 100%; font: inherit; padding: .6em .75em;
      border: 1px solid currentColor; border-radius: var(--signup-radius, .3em); }
    input:not([type=checkbox]), select, textarea { margin-block-start: .25em; color: inherit; background: transparent; }
    option { color: initial; }
    fieldset { margin: 0; padding: 0; border: 0; display: grid; gap: .4em; }
    legend { padding: 0 0 .25em; }
    [aria-invalid=true] { border-color: var(--signup-error, #b3261e); border-width: 2px; }
    .tick { display: grid; grid-template-columns: auto 1fr; gap: .6em; align-items: start; }
    .tick input { inline-size: 1.2em; block-size: 1.2em; margin: .1em 0 0; }
    button { cursor: pointer; font-weight: 600; border-color: transparent;
      color: var(--signup-accent-text, #fff); background: var(--signup-accent, #0b5cad); }
    button[aria-disabled=true] { opacity: .7; cursor: progress; }
    :focus-visible { outline: 3px solid var(--signup-accent, #0b5cad); outline-offset: 2px; }
    .error { color: var(--signup-error, #b3261e); margin-block-start: .25em; }
    .tick label, .done { white-space: pre-line; overflow-wrap: anywhere; }
    .error:empty, .notice:empty { display: none; }
    .optional { opacity: .75; }
    .trap { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); }
    a { color: inherit; }
    .done:focus { outline: none; }`;

  const make = (name, attributes = {}, ...children) => {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
      if (value === true) element.setAttribute(key, "");
      else if (value !== false && value != null) element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  };

  // What ends the sentence and not the address; a bracket only where the address does not open it.
  const withoutPunctuation = (address) => {
    let shorter = address.replace(/[.,;:!?'’…*_~]+$/, "");
    const last = shorter[shorter.length - 1];
    const opening = { ")": "(", "]": "[" }[last];
    if (opening && shorter.split(opening).length < shorter.split(last).length) shorter = shorter.slice(0, -1);
    return shorter === address ? address : withoutPunctuation(shorter);
  };

  // The text with its addresses as links in a new tab: the rule is that of web/public/links.py.
  const linked = (text) => {
    const parts = [];
    let end = 0;
    for (const found of text.matchAll(ADDRESS)) {
      const begin = found.index + found[1].length;
      const address = withoutPunctuation(found[2]);
      const href = /^http/i.test(address) ? address : `https://${address}`;
      parts.push(text.slice(end, begin), make("a", { href, target: "_blank", rel: "noopener noreferrer" }, address));
      end = begin + address.length;
    }
    return [...parts, text.slice(end)];
  };

  const ask = async (url, options = {}) => {
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), TIMEOUT);
    try {
      const answer = await fetch(url, { credentials: "omit", signal: limit.signal, ...options });
      return { ok: answer.ok, status: answer.status, body: await answer.json().catch(() => ({})) };
    } finally {
      clearTimeout(timer);
    }
  };

  class SignupForm {
    constructor(root, definition, number) {
      this.root = root;
      this.definition = definition;
      // The same form may be there twice.
      this.suffix = number > 1 ? `-${number}` : "";
      this.name = definition.name + this.suffix.replace("-", " ");
      this.inputs = new Map();
      this.sending = false;
    }

    draw() {
      this.notice = make("p", { class: "error notice", role: "alert" });
      this.button = make("button", { type: "submit" }, this.root.host.dataset.button || "Sign up");
      this.form = make("form", { novalidate: true, "accept-charset": "utf-8", "aria-label": this.name }, ...this.definition.fields.map((field) => this.field(field)));
      const { sms_consent: sms, consent, fields } = this.definition;
      const number = fields.find(({ name }) => name === "sms_number");
      if (sms && number) this.form.append(this.tick("sms_consent", sms.wording, number.required));
      if (consent) this.form.append(this.tick("consent", consent.wording, true));
      this.form.append(this.trap(), this.widget(), this.notice, this.button);
      this.form.addEventListener("focusin", () => {
        this.begin();
        this.freshToken();
      });
      this.form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.submit();
      });
      this.root.append(this.form);
      // Where it cannot be had, the service mends the address alone.
      import(new URL("address.js", base)).then(({ asMeant }) => { this.asMeant = asMeant; }, () => {});
      this.renewToken(0);
    }

    field({ name, label, type, required, autocomplete, maxlength, options = [] }) {
      // The name of a custom field may hold blanks, an id may not.
      const id = (/[^\w-]/.test(name) ? `custom-${this.inputs.size}` : name) + this.suffix;
      const mark = required ? [] : [make("span", { class: "optional" }, " (optional)")];
      if (type === "checkboxes") return this.choices(id, name, options, make("legend", {}, label, ...mark));
      const text = make("label", { for: id }, label, ...mark);
      if (type === "checkbox") {
        const input = make("input", { id, name, type, required });
        const error = this.errorOf(name, input, () => (input.checked ? "true" : ""));
        return make("div", {}, make("div", { class: "tick" }, input, text), error);
      }
      let input;
      if (type === "select") {
        const offered = ["", ...options].map((option) => make("option", { value: option }, option));
        input = make("select", { id, name, required }, ...offered);
      } else if (type === "textarea") input = make("textarea", { id, name, required, maxlength });
      else {
        const step = type === "number" && "any";
        input = make("input", { id, name, type: type || "text", required, autocomplete, maxlength, step });
      }
      return make("div", {}, text, input, this.errorOf(name, input));
    }

    choices(id, name, options, legend) {
      const boxes = options.map((value) => make("input", { type: "checkbox", name, value }));
      const ticks = boxes.map((box, at) => make("label", {}, box, " ", options[at]));
      const group = make("fieldset", { id }, legend, ...ticks);
      const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
      return make("div", {}, group, this.errorOf(name, boxes[0] || group, chosen));
    }

    tick(name, wording, required) {
      const input = make("input", { id: name + this.suffix, name, type: "checkbox", required });
      const label = make("label", { for: input.id }, ...linked(wording));
      const agreed = () => (input.checked ? wording : "");
      return make("div", {}, make("div", { class: "tick" }, input, label), this.errorOf(name, input, agreed));
    }

    errorOf(name, input, read = () => input.value.trim()) {
      const error = make("p", { class: "error", id: `${input.id || `custom-${this.inputs.size}${this.suffix}`}-error` });
      this.inputs.set(name, { input, error, read });
      return error;
    }

    // People neither see nor reach it; programs that fill in whatever they find do.
    trap() {
      const name = this.definition.protection?.honeypot;
      if (!name) return "";
      const id = name + this.suffix;
      this.trapped = make("input", { id, name, tabindex: "-1", autocomplete: "off" });
      return make("div", { class: "trap", "aria-hidden": "true" }, make("label", { for: id }, "Leave this empty"), this.trapped);
    }

    // The captchas of third parties do not work in a shadow root: theirs stands beside it, and shows in the slot.
    widget() {
      const captcha = this.definition.protection?.captcha;
      if (!captcha?.script) return "";
      this.beside = make("div", { slot: "captcha" });
      this.root.host.append(this.beside);
      import(new URL("captcha.js", base))
        .then(({ draw }) => draw(this.beside, captcha))
        .then((drawn) => { this.captcha = drawn; }, () => {});
      return make("slot", { name: "captcha" });
    }

    renewToken(ripensFor = TOKEN_RIPE) {
      const url = this.definition.protection?.token_url;
      if (!url) return undefined;
      this.renewal ??= ask(url).then(({ body: { token } }) => {
        if (token) Object.assign(this, { token, tokenAt: Date.now(), ripensFor });
      }).catch(() => {
        // Without it the service may look twice at the sign-up, but it takes it.
      }).finally(() => { this.renewal = undefined; });
      return this.renewal;
    }

    // For a page that was open for a day, or offline when it was drawn; whoever comes back to it notices nothing.
    async freshToken() {
      if (!this.token || Date.now() - this.tokenAt > TOKEN_GOOD) this.renewToken();
      await this.renewal;
    }

    async ripeToken() {
      await this.freshToken();
      const rest = this.tokenAt + this.ripensFor - Date.now();
      if (rest > 0) await new Promise((resolve) => { setTimeout(resolve, Math.min(rest, TOKEN_RIPE)); });
    }

    document() {
      // The service takes no longer source, and a long address must cost no sign-up.
      const found = { form: this.definition.slug, source: (location.origin + location.pathname).slice(0, 100) };
      // Where the visitor came from; its query may tell about the person.
      if (document.referrer) found.referrer = document.referrer.split(/[?#]/)[0].slice(0, 500);
      for (const [name, { read }] of this.inputs) {
        const value = read();
        const custom = /^custom_fields\[(.+)\]$/.exec(name);
        if (!value.length) continue;
        if (custom) (found.custom_fields ??= {})[custom[1]] = value;
        else found[name] = value;
      }
      if (this.token) found.form_token = this.token;
      if (this.trapped?.value) found[this.trapped.name] = this.trapped.value;
      return found;
    }

    // The browser works while the visitor types, so that nobody waits for it.
    begin() {
      const url = this.definition.protection?.captcha?.challenge_url;
      if (!url) return;
      if (this.begun && Date.now() - this.begun.at > PROOF_GOOD) this.begun = undefined;
      if (this.begun) return;
      const answer = import(new URL("proof.js", base)).then(({ solve }) => solve(url));
      answer.catch(() => { this.begun = undefined; });
      this.begun = { at: Date.now(), answer };
    }

    // Without it the service looks twice at the sign-up, but it takes it.
    async proof() {
      if (this.captcha) return { captcha: this.captcha.answer() };
      this.begin();
      const begun = this.begun;
      this.begun = undefined; // it counts once
      if (!begun) return {};
      try {
        return { altcha: await begun.answer };
      } catch {
        return {};
      }
    }

    async submit() {
      if (this.sending || !this.complete()) return;
      const objection = this.captcha?.objection();
      if (objection) return this.tell(objection);
      this.busy(true);
      try {
        let answer = await this.send();
        if (answer.body.errors?.some(({ field }) => field === "form_token")) {
          await this.renewToken();
          answer = await this.send();
        }
        const { ok, status, body } = answer;
        if (ok) this.thank();
        else {
          // Before it says what is wrong with a field, nobody has looked at the captcha.
          if (status !== 422) this.captcha?.reset();
          this.refused(body);
        }
      } catch {
        this.captcha?.reset();
        this.tell(UNREACHABLE);
      } finally {
        this.busy(false);
      }
    }

    async send() {
      const [proof] = await Promise.all([this.proof(), this.ripeToken()]);
      return ask(this.definition.action, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify({ ...this.document(), ...proof }),
      });
    }

    complete() {
      this.tell("");
      for (const { input, error } of this.inputs.values()) {
        if (this.asMeant && input.type === "email") input.value = this.asMeant(input.value);
        this.show(input, error, input.validity.valid ? "" : input.validationMessage);
      }
      return !this.focusFirstError();
    }

    refused(body) {
      const elsewhere = [];
      for (const { field, message } of body.errors || []) {
        const at = this.inputs.get(field);
        if (at) this.show(at.input, at.error, message);
        else elsewhere.push(message);
      }
      if (elsewhere.length || !body.errors) this.tell(elsewhere.join(" ") || body.detail || UNREACHABLE);
      this.focusFirstError();
    }

    show(input, error, message) {
      error.textContent = message;
      if (message) {
        input.setAttribute("aria-invalid", "true");
        input.setAttribute("aria-describedby", error.id);
      } else {
        input.removeAttribute("aria-invalid");
        input.removeAttribute("aria-describedby");
      }
    }

    focusFirstError() {
      const first = this.form.querySelector("[aria-invalid=true]");
      first?.focus();
      return first;
    }

    tell(message) {
      this.notice.textContent = message;
    }

    // Not `disabled`: that would drop the focus of a keyboard.
    busy(sending) {
      this.sending = sending;
      this.button.setAttribute("aria-disabled", String(sending));
    }

    thank() {
      const { message, url } = this.definition.thank_you || {};
      if (url) {
        location.assign(url);
        return;
      }
      const confirm = make("p", { id: `confirm${this.suffix}` }, CONFIRM);
      const told = { class: "done", role: "status", tabindex: "-1", "aria-describedby": message && confirm.id };
      const done = make("p", told, ...linked(message || THANKS));
      this.beside?.remove();
      this.form.replaceWith(done, message ? confirm : "");
      done.focus();
    }
  }

  const HOST = "data-signup-form";
  const LINE = "data-signup-line"; // on the element that a line gets; the others are the page's own
  const lines = new WeakMap(); // a line's element
  const owners = new WeakMap(); // an element's line
  const drawn = new WeakMap(); // the form that an element shows
  const missed = new WeakSet(); // lines whose target was not there
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  let number = 0;

  const draw = async (host, slug) => {
    drawn.set(host, slug);
    const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    root.replaceChildren();
    let shown;
    try {
      const { ok, body } = await ask(new URL(`forms/${encodeURIComponent(slug)}.json`, base));
      if (!ok) throw new Error(body.detail);
      shown = () => new SignupForm(root, body, ++number).draw();
    } catch {
      shown = () => root.append(make("p", { role: "status" }, UNAVAILABLE));
    }
    // The page may have asked for another form meanwhile.
    if (drawn.get(host) === slug) shown();
  };

  // What is wrong with a selector, or missing yet, must not keep other forms from being drawn.
  const find = (line) => {
    const { target } = line.dataset;
    try {
      const found = document.querySelector(target);
      if (found || document.readyState === "loading") return found;
    } catch {
      // Told below.
    }
    if (!missed.has(line)) console.warn(`embed.js: “${line.dataset.form}” waits for “${target}”, which this page does not have.`);
    missed.add(line);
    return null;
  };

  // Gives a line its element: in its target, in the body for a line in the head, else right behind the line.
  const place = (line) => {
    const { form, target, button } = line.dataset;
    const inHead = document.head?.contains(line);
    const host = lines.get(line);
    // Who takes the element away alone means it; who swaps what is around it gets a new one.
    if (host && (host.isConnected || (!host.parentNode && !inHead))) return;
    let parent = line.parentNode;
    if (target) parent = find(line);
    else if (inHead) parent = document.readyState !== "loading" && document.body;
    if (!parent) return;
    // A page that is restored from a copy has copies of what was drawn, too.
    let found = [...parent.children].find((child) => child.hasAttribute(LINE) && child.getAttribute(HOST) === form
      && !owners.get(child)?.isConnected);
    if (!found) {
      found = make("div", { [HOST]: form, [LINE]: true, "data-button": button });
      if (target || inHead) parent.append(found);
      else line.after(found);
    }
    lines.set(line, found);
    owners.set(found, line);
  };

  const look = () => {
    for (const line of document.querySelectorAll("script[data-form]")) {
      if (line.src?.startsWith(`${base}embed.js`)) place(line);
    }
    for (const host of document.querySelectorAll(`[${HOST}]`)) {
      const slug = host.getAttribute(HOST);
      if (drawn.get(host) !== slug) draw(host, slug);
    }
  };

  // However many lines a page has, the first one looks after all of them.
  const looking = Symbol.for(`sign-up forms of ${base}`);
  if (window[looking]) {
    window[looking]();
    return;
  }
  window[looking] = look;
  let due;
  const lookSoon = () => {
    due ??= setTimeout(() => {
      due = undefined;
      look();
    }, 20);
  };
  new MutationObserver(lookSoon).observe(document, { childList: true, subtree: true, attributeFilter: [HOST] });
  addEventListener("DOMContentLoaded", look);
  look();
})();
