// Opens the configurations for printing, because paper has no buttons.
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach(details => details.open = true));
