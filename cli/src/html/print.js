// Paper has no buttons to open what is closed.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(details => details.open = true));
