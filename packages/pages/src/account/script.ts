/** Search and filters. The page says all without it. */
export const SCRIPT = `
(function () {
  var tools = document.getElementById("tools"), words = document.getElementById("words");
  var state = document.getElementById("state"), part = document.getElementById("part");
  var rows = [].slice.call(document.querySelectorAll(".row")), texts = [], timer = 0;
  function textOf(i) {
    if (texts[i] === undefined) texts[i] = rows[i].textContent.toLowerCase();
    return texts[i];
  }
  function show() {
    var wanted = words.value.toLowerCase().split(/\\s+/).filter(Boolean);
    rows.forEach(function (row, i) {
      row.hidden = !((state.value === "" || row.dataset.s === state.value) &&
        (part.value === "" || row.dataset.k.split("|").indexOf(part.value) >= 0) &&
        wanted.every(function (word) { return textOf(i).indexOf(word) >= 0; }));
    });
    [].forEach.call(document.querySelectorAll("section"), function (section) {
      var own = section.querySelectorAll(".row"), shown = section.querySelectorAll(".row:not([hidden])").length;
      var count = section.parentNode.querySelector("#" + section.dataset.of + " .count");
      if (count) count.textContent = shown === own.length ? "(" + own.length + ")" : "(" + shown + " of " + own.length + ")";
    });
  }
  function later() { clearTimeout(timer); timer = setTimeout(show, 150); }
  function go() {
    var to = location.hash.length > 1 ? document.getElementById(decodeURIComponent(location.hash.slice(1))) : null;
    if (to && to.className === "row") { to.hidden = false; to.open = true; to.scrollIntoView(); }
  }
  words.addEventListener("input", later);
  state.addEventListener("change", show);
  part.addEventListener("change", show);
  document.getElementById("all").addEventListener("click", function () { words.value = state.value = part.value = ""; show(); });
  window.addEventListener("hashchange", go);
  tools.hidden = false;
  show();
  go();
})();
`;
