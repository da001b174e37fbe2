// Starts GraphiQL on this page's own address. Headers stay in the page: a token is not stored.
"use strict";

const welcome = `# Jifen. Give a token under Headers, below:
#
#   { "Authorization": "Bearer <accessToken>" }
#
# Run: Ctrl-Enter. Complete: Ctrl-Space.
# The documentation is behind the book on the left.
`;

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: window.location.pathname }),
    defaultEditorToolsVisibility: "headers",
    defaultQuery: welcome,
    isHeadersEditorEnabled: true,
    shouldPersistHeaders: false,
  }),
);
