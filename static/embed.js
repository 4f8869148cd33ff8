/* Draws a sign-up form of this service on any page: <script src="…/embed.js" data-form="slug" async></script>
   No dependency. It lives in a shadow root, so neither side's styles reach the other; colours and shape are set
   by --signup-accent, --signup-accent-text, --signup-error, --signup-radius on an element around it.
   Optional: data-target="#selector" (where to draw), data-button="Sign up". */
(() => {
  "use strict";
  const script = document.currentScript;
  const slug = script.dataset.form;
  const TIMEOUT = 20000;
  const PROOF_GOOD = 9 * 60 * 1000; // a challenge lives for ten minutes
  const UNREACHABLE = "This could not be sent. Please check your connection and try again; what you typed is still here.";
  // The same for everybody: whether an address was known before is nobody else's business.
  const THANKS = "Thank you. If an e-mail asks you to confirm, please do.";
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
    .tick label, .done { white-space: pre-line; }
    .error:empty, .notice:empty { display: none; }
    .optional { opacity: .75; }
    .trap { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); }
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
    constructor(root, definition) {
      this.root = root;
      this.definition = definition;
      this.inputs = new Map();
      this.sending = false;
    }

    draw() {
      this.notice = make("p", { class: "error notice", role: "alert" });
      this.button = make("button", { type: "submit" }, script.dataset.button || "Sign up");
      this.form = make("form", { novalidate: true, "accept-charset": "utf-8" }, ...this.definition.fields.map((field) => this.field(field)));
      const { sms_consent: sms, consent, fields } = this.definition;
      const number = fields.find(({ name }) => name === "sms_number");
      if (sms && number) this.form.append(this.tick("sms_consent", sms.wording, number.required));
      if (consent) this.form.append(this.tick("consent", consent.wording, true));
      this.form.append(this.trap(), this.widget(), this.notice, this.button);
      this.form.addEventListener("focusin", () => this.begin());
      this.form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.submit();
      });
      this.root.append(this.form);
      // Where it cannot be had, the service mends the address alone.
      import(new URL("address.js", script.src)).then(({ asMeant }) => { this.asMeant = asMeant; }, () => {});
      this.renewToken();
    }

    field({ name, label, type, required, autocomplete, maxlength, options = [] }) {
      // The name of a custom field may hold blanks, an id may not.
      const id = /[^\w-]/.test(name) ? `custom-${this.inputs.size}` : name;
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
      const input = make("input", { id: name, name, type: "checkbox", required });
      const label = make("label", { for: name }, wording);
      const agreed = () => (input.checked ? wording : "");
      return make("div", {}, make("div", { class: "tick" }, input, label), this.errorOf(name, input, agreed));
    }

    errorOf(name, input, read = () => input.value.trim()) {
      const error = make("p", { class: "error", id: `${input.id || `custom-${this.inputs.size}`}-error` });
      this.inputs.set(name, { input, error, read });
      return error;
    }

    // People neither see nor reach it; programs that fill in whatever they find do.
    trap() {
      const name = this.definition.protection?.honeypot;
      if (!name) return "";
      this.trapped = make("input", { id: name, name, tabindex: "-1", autocomplete: "off" });
      return make("div", { class: "trap", "aria-hidden": "true" }, make("label", { for: name }, "Leave this empty"), this.trapped);
    }

    // The captchas of third parties do not work in a shadow root: theirs stands beside it, and shows in the slot.
    widget() {
      const captcha = this.definition.protection?.captcha;
      if (!captcha?.script) return "";
      const place = make("div", { slot: "captcha" });
      this.root.host.append(place);
      import(new URL("captcha.js", script.src))
        .then(({ draw }) => draw(place, captcha))
        .then((drawn) => { this.captcha = drawn; }, () => {});
      return make("slot", { name: "captcha" });
    }

    async renewToken() {
      const url = this.definition.protection?.token_url;
      if (!url) return;
      try {
        this.token = (await ask(url)).body.token;
      } catch {
        // Without it the service may look twice at the sign-up, but it takes it.
      }
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
      const answer = import(new URL("proof.js", script.src)).then(({ solve }) => solve(url));
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
        const { ok, status, body } = await ask(this.definition.action, {
          method: "POST",
          headers: { "Content-Type": "application/json", Accept: "application/json" },
          body: JSON.stringify({ ...this.document(), ...(await this.proof()) }),
        });
        if (ok) this.thank();
        else {
          // Before it says what is wrong with a field, nobody has looked at the captcha.
          if (status !== 422) this.captcha?.reset();
          await this.refused(status, body);
        }
      } catch {
        this.captcha?.reset();
        this.tell(UNREACHABLE);
      } finally {
        this.busy(false);
      }
    }

    complete() {
      this.tell("");
      for (const { input, error } of this.inputs.values()) {
        if (this.asMeant && input.type === "email") input.value = this.asMeant(input.value);
        this.show(input, error, input.validity.valid ? "" : input.validationMessage);
      }
      return !this.focusFirstError();
    }

    async refused(status, body) {
      const elsewhere = [];
      for (const { field, message } of body.errors || []) {
        const at = this.inputs.get(field);
        if (at) this.show(at.input, at.error, message);
        else if (field === "form_token") {
          await this.renewToken();
          elsewhere.push("This page was open for long. Please press the button once more.");
        } else elsewhere.push(message);
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
      const done = make("p", { class: "done", role: "status", tabindex: "-1" }, message || THANKS);
      this.root.host.replaceChildren();
      this.form.replaceWith(done);
      done.focus();
    }
  }

  const start = async () => {
    const host = make("div", { "data-signup-form": slug });
    const target = script.dataset.target && document.querySelector(script.dataset.target);
    if (target) target.append(host);
    else script.after(host);
    const root = host.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    try {
      const { ok, body } = await ask(new URL(`forms/${encodeURIComponent(slug)}.json`, script.src));
      if (!ok) throw new Error(body.detail);
      new SignupForm(root, body).draw();
    } catch {
      root.append(make("p", { role: "status" }, UNAVAILABLE));
    }
  };

  if (script.dataset.target && document.readyState === "loading") addEventListener("DOMContentLoaded", start);
  else start();
})();
