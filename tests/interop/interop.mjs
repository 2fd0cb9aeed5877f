// interop.mjs LIST: for each line "NAME FILE KEYS TENSORS" of LIST, opens FILE in
// @huggingface/gguf, whose key and tensor counts must agree, and in node-llama-cpp, whose
// first 16 greedy tokens must be the same twice, each time from a fresh load.
import {readFileSync} from "node:fs";
import {pathToFileURL} from "node:url";
import {createRequire} from "node:module";

const modules = createRequire(process.argv[3] + "/package.json");
const load = (name) => import(pathToFileURL(modules.resolve(name)).href);
const {gguf} = await load("@huggingface/gguf");
const {getLlama, LlamaLogLevel} = await load("node-llama-cpp");

const PROMPT = "Once upon a time";
const LENGTH = 16;
// What the reader adds to the metadata that is no key of the file.
const HEADER_FIELDS = ["version", "tensor_count", "kv_count"];
let failed = false;

function report(ok, name, detail) {
  console.log(`${ok ? "ok" : "not ok"} interop ${name}${ok ? "" : `: ${detail}`}`);
  failed ||= !ok;
}

async function readCounts(file) {
  const {metadata, tensorInfos} = await gguf(file, {allowLocalFile: true});
  const keys = Object.keys(metadata).filter((key) => !HEADER_FIELDS.includes(key));
  return {keys: keys.length, tensors: tensorInfos.length};
}

async function greedyTokens(llama, file) {
  const model = await llama.loadModel({modelPath: file, gpuLayers: 0});
  const context = await model.createContext({contextSize: 64, threads: 2});
  const sequence = context.getSequence();
  const tokens = [];
  for await (const token of sequence.evaluate(model.tokenize(PROMPT), {temperature: 0})) {
    tokens.push(token);
    if (tokens.length === LENGTH)
      break;
  }
  const text = model.detokenize(tokens);
  await context.dispose();
  await model.dispose();
  return {tokens, text};
}

const llama = await getLlama({gpu: false, build: "never", skipDownload: true, logLevel: LlamaLogLevel.error});
for (const line of readFileSync(process.argv[2], "utf8").trim().split("\n")) {
  const [name, file, keys, tensors] = line.split("\t");
  try {
    const counts = await readCounts(file);
    report(counts.keys === Number(keys) && counts.tensors === Number(tensors), `${name}: reader counts`,
      `${keys} keys and ${tensors} tensors written, ${counts.keys} and ${counts.tensors} read`);
    const first = await greedyTokens(llama, file);
    const second = await greedyTokens(llama, file);
    report(first.tokens.length === LENGTH && first.tokens.join() === second.tokens.join(), `${name}: engine`,
      `${first.tokens.length} tokens, ${first.tokens} then ${second.tokens}`);
    if (process.env.SHOW)
      console.log(`  ${name}: ${JSON.stringify(first.text)}`);
  } catch (error) {
    report(false, name, error.message);
  }
}
process.exit(failed ? 1 : 0);
