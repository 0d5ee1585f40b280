"use strict";
window.addEventListener("load", function () {
  window.SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#swagger-ui",
    deepLinking: true,
    validatorUrl: null,
    defaultModelsExpandDepth: 0,
    presets: [window.SwaggerUIBundle.presets.apis],
    onComplete: function () {
      document.body.dataset.ready = "true";
    },
  });
});
