// Does the same as client.py, with Node's own HTTP client.
import http from 'node:http';
import readline from 'node:readline';

const times = Number(process.argv[2]);

function send(method, url, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, timeout: 30000, agent: false }, (answer) => {
      answer.on('error', reject);
      answer.on('end', () => resolve(answer.statusCode));
      answer.resume();
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', reject);
    request.end(body);
  });
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const [name, method, url, headers, size, status] = line.split('\t');
  const body = Buffer.alloc(Number(size), ' ');
  const withLength = { ...JSON.parse(headers), 'Content-Length': body.length };
  let received = 0;
  let lost = '';
  for (let i = 0; i < times; i += 1) {
    try {
      received += (await send(method, url, withLength, body)) === Number(status) ? 1 : 0;
    } catch (error) {
      lost = error.code ?? error.message;
    }
  }
  console.log(`${name}\t${received}\t${lost}`);
}
