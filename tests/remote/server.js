// A file server that tells the truth under /ok/ and lies elsewhere. Prints its port.
//   node server.js FOLDER
const http = require('http'), fs = require('fs'), path = require('path');
const folder = process.argv[2];

function range(req) {
  const m = /^bytes=(\d+)-(\d+)$/.exec(req.headers.range || '');
  return m ? [Number(m[1]), Number(m[2])] : null;
}

function partial(res, data, first, last, headers) {
  const end = Math.min(last, data.length - 1);
  if (first > end) {
    res.writeHead(416);
    return res.end();
  }
  res.writeHead(206, Object.assign({
    'Content-Range': `bytes ${first}-${end}/${data.length}`,
    'Content-Length': end - first + 1,
  }, headers));
  res.end(data.subarray(first, end + 1));
}

// Sends without end, until the client hangs up.
function forever(res) {
  const block = Buffer.alloc(1 << 16);
  const send = () => { while (!res.destroyed && res.write(block)); };
  res.on('drain', send);
  send();
}

const ways = {
  ok: (req, res, data, r) => partial(res, data, r[0], r[1]),
  // the whole file, whatever was asked for
  whole: (req, res, data) => { res.writeHead(200, { 'Content-Length': data.length }); res.end(data); },
  // a total far above the real one
  long: (req, res, data, r) => partial(res, data, r[0], r[1],
    { 'Content-Range': `bytes ${r[0]}-${Math.min(r[1], data.length - 1)}/9000000000000000000` }),
  // a total that ends inside the header
  short: (req, res, data, r) => partial(res, data.subarray(0, 200), r[0], r[1]),
  // announces more than it sends, then hangs up
  cut: (req, res, data, r) => {
    res.writeHead(206, { 'Content-Range': `bytes ${r[0]}-${r[1]}/${r[1] + 1}`, 'Content-Length': r[1] - r[0] + 1 });
    res.write(data.subarray(0, 100));
    setTimeout(() => res.destroy(), 50);
  },
  // other bytes than those asked for
  shifted: (req, res, data, r) => partial(res, data, r[0] + 8, r[1]),
  // never stops, with and without the length that was asked for
  endless: (req, res, data, r) => { res.writeHead(206, { 'Content-Range': `bytes ${r[0]}-${r[1]}/99999999999` }); forever(res); },
  endless200: (req, res) => { res.writeHead(200); forever(res); },
  // headers, and then nothing
  silent: (req, res, data, r) => { res.writeHead(206, { 'Content-Range': `bytes ${r[0]}-${r[1]}/99999` }); res.flushHeaders(); },
  login: (req, res) => { res.writeHead(401); res.end('no'); },
  away: (req, res) => { res.writeHead(302, { Location: req.url.replace('/away/', '/ok/') }); res.end(); },
  circle: (req, res) => { res.writeHead(302, { Location: req.url }); res.end(); },
  // as a redirect to a local file
  local: (req, res) => { res.writeHead(302, { Location: 'file:///etc/passwd' }); res.end(); },
};

const served = { bytes: 0 };
http.createServer((req, res) => {
  const parts = decodeURIComponent(req.url).split('/').filter(Boolean);
  if (parts[0] === 'served') return res.end(String(served.bytes));
  // as the hub does: OWNER/REPO/resolve/main/FILE
  const way = parts[2] === 'resolve' ? ways.ok : ways[parts[0]];
  const file = path.join(folder, path.basename(parts[parts.length - 1] || ''));
  if (!way || !fs.existsSync(file) || !fs.statSync(file).isFile()) {
    res.writeHead(404);
    return res.end();
  }
  const data = fs.readFileSync(file), r = range(req) || [0, data.length - 1];
  served.bytes += Math.min(r[1] + 1, data.length) - r[0];
  way(req, res, data, r);
}).listen(0, '127.0.0.1', function () { console.log(this.address().port); });
