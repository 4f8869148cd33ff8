/* Runs packages that are published as CommonJS only in a browser: `files` by the names they are required by, each
   after those that it requires. */
export const load = async (files) => {
  const loaded = {};
  for (const [name, path] of Object.entries(files)) {
    const source = await (await fetch(`/lib/${path}`)).text();
    const module = { exports: {} };
    const run = new Function("require", "module", "exports", "process", source);
    run((wanted) => loaded[wanted], module, module.exports, { env: { NODE_ENV: "production" } });
    loaded[name] = module.exports;
  }
  return loaded;
};
