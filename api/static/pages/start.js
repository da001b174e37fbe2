// Copying. Everything else on the page works without this script.
"use strict";

const announcer = document.querySelector(".announcer");

for (const button of document.querySelectorAll("button.copy")) {
  const source = document.getElementById(button.dataset.copies);
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await copy(source);
    button.textContent = announcer.textContent = document.body.dataset.copied;
    button.classList.add("done");
    setTimeout(() => {
      button.textContent = label;
      button.classList.remove("done");
      announcer.textContent = "";
    }, 1500);
  });
}

// A page that came over plain HTTP from another machine has no clipboard: select, then copy.
async function copy(source) {
  try {
    await navigator.clipboard.writeText(source.textContent);
  } catch {
    getSelection().selectAllChildren(source);
    document.execCommand("copy");
  }
}

// A link to an operation or to a code opens what it is folded into.
function unfold() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const folded = target && target.closest("details");
  if (folded) {
    folded.open = true;
    target.scrollIntoView();
  }
}

addEventListener("hashchange", unfold);
unfold();
