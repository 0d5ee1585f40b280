"use strict";
// Starts GraphiQL against the very address that this page came from.
(() => {
  const url = window.location.pathname;
  const ask = GraphiQL.createFetcher({ url });
  const explorer = GraphiQLPluginExplorer.explorerPlugin();
  const page = React.createElement(GraphiQL, {
    fetcher: (params, options) =>
      isSubscription(params, options)
        ? window.TAMS_FOLLOW(url, params, { headers: options?.headers })
        : ask(params, options),
    plugins: [explorer],
    defaultTabs: window.TAMS_EXAMPLES,
    defaultEditorToolsVisibility: "variables",
    shouldPersistHeaders: false,
  });
  ReactDOM.createRoot(document.getElementById("graphiql")).render(page);

  function isSubscription({ operationName }, options) {
    const operations = (options?.documentAST?.definitions ?? []).filter(
      (one) => one.kind === "OperationDefinition" && (!operationName || one.name?.value === operationName),
    );
    return operations[0]?.operation === "subscription";
  }
})();
