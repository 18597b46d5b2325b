"use strict";
// Keys for what the page's own buttons and links do. Without this script everything works by mouse and Tab.
(() => {
  const box = document.getElementById("keys");
  const stored = () => { try { return localStorage.getItem("keys"); } catch { return null; } };
  if (box) {
    box.checked = stored() !== "off";
    box.addEventListener("change", () => { try { localStorage.setItem("keys", box.checked ? "on" : "off"); } catch { /* private window */ } });
  }
  let sent = false;  // one decision a page: a key that is held down decides nothing about the next record
  document.addEventListener("submit", (event) => { if (sent) event.preventDefault(); sent = true; });
  addEventListener("pageshow", () => { sent = false; });

  const marks = [...document.querySelectorAll("mark")];
  let at = -1;
  function nextMark() {
    if (!marks.length) return;
    at = (at + 1) % marks.length;
    const text = marks[at].closest(".text");
    text.scrollTop += marks[at].getBoundingClientRect().top - text.getBoundingClientRect().top - text.clientHeight / 3;
    marks.forEach((mark, k) => mark.classList.toggle("here", k === at));
  }
  nextMark();

  document.addEventListener("keydown", (event) => {
    const field = event.target.closest("textarea, input, select");
    if (event.key === "Escape" && field) { field.blur(); return; }
    if (field && field.type !== "checkbox") return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || sent || stored() === "off") return;
    const target = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
    if (!target || target.disabled) return;
    event.preventDefault();
    if (target.tagName === "TEXTAREA") target.focus();
    else target.click();
  });
  const button = document.querySelector("button[data-key='m']");
  if (button) button.addEventListener("click", nextMark);
})();
