// Starts `wootzc lsp` for .wz files, and ends it.
const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

async function activate() {
  const [command, ...args] = vscode.workspace.getConfiguration("wootzc").get("command");
  client = new LanguageClient(
    "wootzc",
    "wootzc",
    { command, args },
    { documentSelector: [{ language: "wootzc" }] },
  );
  try {
    await client.start();
  } catch (error) {
    vscode.window.showErrorMessage(
      `wootzc: "${command}" does not start (${error.message}). ` +
        'Install it by: pip install "wootzc[lsp]", or say where it is: wootzc.command.',
    );
  }
}

function deactivate() {
  return client?.stop();
}

module.exports = { activate, deactivate };
