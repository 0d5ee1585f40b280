"use strict";
// Redoc shows its maker's logo from a CDN, and has no option against it; the page's policy would
// block that request and log an error, so it is never made. React sets the address both ways.
var image = HTMLImageElement.prototype;
var setAttribute = image.setAttribute;
var source = Object.getOwnPropertyDescriptor(image, "src");
image.setAttribute = function (name, value) {
  if (name === "src") {
    this.src = value;
  } else {
    setAttribute.call(this, name, value);
  }
};
Object.defineProperty(image, "src", {
  get: source.get,
  set: function (value) {
    this.hidden = /^https?:/.test(value);
    if (!this.hidden) {
      source.set.call(this, value);
    }
  },
});
window.addEventListener("load", function () {
  var options = { disableSearch: true, hideLoading: true, nativeScrollbars: true };
  window.Redoc.init("openapi.json", options, document.getElementById("redoc"), function (error) {
    document.body.dataset.ready = error ? "error" : "true";
  });
});
