// Starts GraphiQL on this page's own address, with the operations and tokens of the running demo.
"use strict";

const welcome = `# Jifen. Run: Ctrl-Enter. Complete: Ctrl-Space.
# The documentation is behind the book on the left, what you ran before behind the clock.
# Every load of this page opens the same tabs, with tokens that are good now.
`;

// Tabs come from the server at each load, so neither they nor their tokens are kept.
const kept = {
  get length() {
    return localStorage.length;
  },
  getItem: (key) => (/:(tabState|query|variables|headers)$/.test(key) ? null : localStorage.getItem(key)),
  setItem: (key, value) => {
    if (!/:(tabState|query|variables|headers)$/.test(key)) {
      localStorage.setItem(key, value);
    }
  },
  removeItem: (key) => localStorage.removeItem(key),
  clear: () => localStorage.clear(),
};

function pretty(value) {
  return Object.keys(value).length ? JSON.stringify(value, null, 2) : "";
}

function tabsOf(presets) {
  const asked = decodeURIComponent(location.hash.slice(1));
  const known = Object.hasOwn(presets.operations, asked);
  const names = [...new Set([...(known ? [asked] : []), ...presets.tabs])];
  return names.map((name) => {
    const { query, variables, headers } = presets.operations[name];
    return { query, variables: pretty(variables), headers: pretty(headers) };
  });
}

async function start() {
  const answer = await fetch("/graphiql/presets.json");
  const presets = await answer.json();
  const address = new URL(location.pathname, location.href);
  const socket = new URL(address);
  socket.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  ReactDOM.createRoot(document.getElementById("graphiql")).render(
    React.createElement(
      GraphiQL,
      {
        fetcher: GraphiQL.createFetcher({ url: address.href, subscriptionUrl: socket.href }),
        defaultEditorToolsVisibility: "headers",
        defaultHeaders: pretty(presets.headers),
        defaultQuery: welcome,
        defaultTabs: tabsOf(presets),
        isHeadersEditorEnabled: true,
        shouldPersistHeaders: false,
        storage: kept,
      },
      React.createElement(
        GraphiQL.Logo,
        null,
        React.createElement("a", { className: "home", href: "/" }, "Jifen 积分"),
      ),
    ),
  );
}

start();
