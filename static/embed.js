/* Draws a sign-up form of this service on any page: <script src="…/embed.js" data-form="slug" async></script>
   No dependency. It lives in a shadow root, so neither side's styles reach the other; colours and shape are set
   by --signup-accent, --signup-accent-text, --signup-error, --signup-radius on an element around it.
   Optional: data-target="#selector" (where to draw), data-button="Sign up".
   Once it runs, it also draws a form in each <div data-signup-form="slug"> and for each line that a page adds later: a
   script element that is added by innerHTML does not run. */
(() => {
  "use strict";
  // document.currentScript is null for a module and for a script inside a shadow root.
  const own = document.currentScript ?? document.querySelector("script[src*='/embed.js']");
  const base = new URL(".", own.src).href;
  const TIMEOUT = 20000;
  const PROOF_GOOD = 9 * 60 * 1000; // a proof-of-work challenge lives for ten minutes
  const TOKEN_GOOD = 23 * 60 * 60 * 1000; // a form token lives for a day
  const TOKEN_RIPE = 2100; // a token used within two seconds makes the sign-up suspected
  const UNREACHABLE = "This could not be sent. Please check your connection and try again; what you typed is still here.";
  // The same for everybody, so that nobody learns whether an address was known before. Shown after the form's own
  // message as well: the account may require a confirmation, which that message need not mention.
  const CONFIRM = "If an e-mail asks you to confirm, please do.";
  const THANKS = `Thank you. ${CONFIRM}`;
  // A web address in a text: preceded by no character of an address, and without a user name before its host.
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

  // Remove the punctuation that ends the sentence; a closing bracket only if the address does not open it.
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
      // A page may show the same form twice; ids must differ.
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
      // If this script cannot be loaded, the service corrects a pasted address.
      import(new URL("address.js", base)).then(({ asMeant }) => { this.asMeant = asMeant; }, () => {});
      this.renewToken(0);
    }

    field({ name, label, type, required, autocomplete, maxlength, options = [] }) {
      // The name of a custom field may contain spaces, an id may not.
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

    // The honeypot: invisible and unreachable for people, filled in by programs that fill in every field.
    trap() {
      const name = this.definition.protection?.honeypot;
      if (!name) return "";
      const id = name + this.suffix;
      this.trapped = make("input", { id, name, tabindex: "-1", autocomplete: "off" });
      return make("div", { class: "trap", "aria-hidden": "true" }, make("label", { for: id }, "Leave this empty"), this.trapped);
    }

    // Third parties' captchas do not work in a shadow root: the widget is a child of the host and shows in a slot.
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
        // Without a form token the service accepts the sign-up, possibly as suspected.
      }).finally(() => { this.renewal = undefined; });
      return this.renewal;
    }

    // Renew the token of a page that was open for a day, or offline when the form was drawn.
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
      // The service refuses a source of more than 100 characters.
      const found = { form: this.definition.slug, source: (location.origin + location.pathname).slice(0, 100) };
      // The previous page, without its query string, which may hold personal data.
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

    // Begin the proof of work while the visitor types, so that nobody waits for it.
    begin() {
      const url = this.definition.protection?.captcha?.challenge_url;
      if (!url) return;
      if (this.begun && Date.now() - this.begun.at > PROOF_GOOD) this.begun = undefined;
      if (this.begun) return;
      const answer = import(new URL("proof.js", base)).then(({ solve }) => solve(url));
      answer.catch(() => { this.begun = undefined; });
      this.begun = { at: Date.now(), answer };
    }

    // Without a proof of work the service accepts the sign-up as suspected.
    async proof() {
      if (this.captcha) return { captcha: this.captcha.answer() };
      this.begin();
      const begun = this.begun;
      this.begun = undefined; // a proof is valid once
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
          // The service answers 422 before it checks the captcha, whose answer is then still valid.
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

    // Not `disabled`, which would take the keyboard focus away.
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
  const LINE = "data-signup-line"; // marks the element made for a line; elements without it are the page's own
  const lines = new WeakMap(); // line (script element) → element that was made for it
  const owners = new WeakMap(); // element that was made → its line
  const drawn = new WeakMap(); // element → slug of the form that it shows
  const missed = new WeakSet(); // lines whose missing target was reported
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
    // The page may have set another slug while the form was fetched.
    if (drawn.get(host) === slug) shown();
  };

  // Return the line's target, or null: an invalid selector or a missing target must not stop other forms.
  const find = (line) => {
    const { target } = line.dataset;
    try {
      const found = document.querySelector(target);
      if (found || document.readyState === "loading") return found;
    } catch {
      // An invalid selector is reported below.
    }
    if (!missed.has(line)) console.warn(`embed.js: “${line.dataset.form}” waits for “${target}”, which this page does not have.`);
    missed.add(line);
    return null;
  };

  // Make a line's element: in its target, in the body for a line in the head, else right after the line.
  const place = (line) => {
    const { form, target, button } = line.dataset;
    const inHead = document.head?.contains(line);
    const host = lines.get(line);
    // A page that removed only our element wants no form; one that replaced its surroundings gets a new element.
    if (host && (host.isConnected || (!host.parentNode && !inHead))) return;
    let parent = line.parentNode;
    if (target) parent = find(line);
    else if (inHead) parent = document.readyState !== "loading" && document.body;
    if (!parent) return;
    // A page restored from a snapshot of its HTML has a copy of the element already.
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

  // The first line of a page draws the forms of all lines.
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
