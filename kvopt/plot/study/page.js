"use strict";
// Opening instances, downloading schedules and certificates, and the choice of colours.
{
  const shownOf = new Map();

  // The schedules of an instance are drawn when it is opened first.
  function schedulesOf(instance) {
    if (!shownOf.has(instance)) {
      const data = JSON.parse(instance.querySelector("script.schedules").textContent);
      shownOf.set(instance, showSchedules(instance.querySelector(".charts"), data));
    }
    return shownOf.get(instance);
  }

  for (const instance of document.querySelectorAll("details.instance"))
    instance.addEventListener("toggle", () => { if (instance.open) schedulesOf(instance); });

  function open(name, policy) {
    const instance = document.getElementById(name);
    if (!instance?.matches("details.instance")) return;
    instance.open = true;
    if (policy) schedulesOf(instance).show(policy);
    instance.scrollIntoView();
    instance.querySelector("summary").focus({ preventScroll: true });
  }
  document.getElementById("ratios").addEventListener("click", event => {
    const link = event.target.closest("a");
    if (!link) return;
    event.preventDefault();
    history.replaceState(null, "", link.hash);
    open(link.hash.slice(1), link.closest("tr").dataset.policy);
  });
  addEventListener("hashchange", () => open(location.hash.slice(1)));
  open(location.hash.slice(1));

  // The files of the instances: each button has the content of its file behind it.
  const buttons = [...document.querySelectorAll("button[data-file]")];
  const contentOf = button => JSON.parse(button.nextElementSibling.textContent);

  function save(name, parts, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(parts, { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }
  for (const button of buttons)
    button.addEventListener("click", () =>
      save(button.dataset.file, [contentOf(button)], "application/json"));
  document.getElementById("download-all")?.addEventListener("click", event =>
    save(event.currentTarget.dataset.name,
      zipped(buttons.map(button => [button.dataset.file, contentOf(button)])), "application/zip"));

  const colours = document.getElementById("colours");
  colours.addEventListener("change", () => document.documentElement.dataset.colours = colours.value);
}
