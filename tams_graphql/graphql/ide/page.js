"use strict";
// Starts GraphiQL against the very address that this page came from.
(() => {
  const fetcher = GraphiQL.createFetcher({ url: window.location.pathname });
  const explorer = GraphiQLPluginExplorer.explorerPlugin();
  const page = React.createElement(GraphiQL, {
    fetcher,
    plugins: [explorer],
    defaultTabs: window.TAMS_EXAMPLES,
    defaultEditorToolsVisibility: "variables",
    shouldPersistHeaders: false,
  });
  ReactDOM.createRoot(document.getElementById("graphiql")).render(page);
})();
