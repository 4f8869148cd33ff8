/* Stands in for the script of a captcha's provider: explicit drawing, an answer once `solveCaptchas()` is called. */
(() => {
  const { origin, pathname, searchParams } = new URL(document.currentScript.src);
  const fields = [];
  const draw = (place, { sitekey, size, action }) => {
    if (place.getRootNode() !== document) throw new Error("This does not work in a shadow root.");
    const frame = document.createElement("iframe");
    frame.src = `${origin}${pathname.slice(0, pathname.lastIndexOf("/"))}/frame`;
    frame.title = "Captcha";
    frame.style.width = size === "compact" ? "164px" : "304px";
    frame.style.height = "78px";
    const answer = document.createElement("input");
    Object.assign(answer, { type: "hidden", name: "NAME-response" });
    Object.assign(answer.dataset, { sitekey, action });
    place.append(frame, answer);
    return fields.push(answer) - 1;
  };
  window.API = {
    render: draw,
    getResponse: (id) => fields[id].value,
    reset: (id) => { fields[id].value = ""; },
  };
  let solved = 0;
  window.solveCaptchas = () => fields.forEach((field) => { field.value = `good-${Date.now()}-${++solved}`; });
  if (searchParams.get("render") === "explicit") window[searchParams.get("onload")]();
  else for (const place of document.querySelectorAll(".WIDGET")) {
    draw(place, place.dataset);
  }
})();
