// Writes what the reports are made from: a zone and an inventory full of traps, and two thousand domains with many faults.
import { mkdirSync, writeFileSync } from "node:fs";
import { deflateSync } from "node:zlib";

const [pages] = process.argv.slice(2);

// What a page may act on: elements, handlers, addresses, the end of a style or an attribute, marks of direction, very long words.
const traps = [
  "<script>window.pwned=1</script>", "<img src=x onerror=window.pwned=1>", "\"><svg onload=window.pwned=1>",
  "' autofocus onfocus=window.pwned=1 x='", "</style><script>window.pwned=1</script>", "</title><script>window.pwned=1</script>",
  "javascript:window.pwned=1", "<iframe src=https://evil.example></iframe>", "<a href=https://evil.example>x</a>",
  "<meta http-equiv=refresh content=0>", "<base href=https://evil.example/>", "<link rel=stylesheet href=https://evil.example>",
  "<style>*{display:none}</style>", "&lt;script&gt;&#60;b&#62;", "${window.pwned=1}{{1}}", "<!-- ]]>", "\u202eevil\u2066",
  "<form action=https://evil.example><button>x", "<details ontoggle=window.pwned=1 open>", "A".repeat(200), "`tick` `` x",
];
const inZone = (text) => text.replace(/[\\"]/g, "\\$&").replace(/[^\x20-\x7e]/g, (c) =>
  [...Buffer.from(c)].map((byte) => `\\${String(byte).padStart(3, "0")}`).join(""));

mkdirSync(`${pages}/hostile/dns`, { recursive: true });
let zone = "$ORIGIN hostile.example.\n$TTL 60\n@ SOA ns1 h 1 7200 3600 1209600 60\n@ NS ns1\n@ MX 10 <script>window.pwned=1</script>\n";
traps.forEach((trap, index) => {
  const text = inZone(trap).slice(0, 230);
  const long = `${"d".repeat(60)}.${"e".repeat(60)}.d${index}`;
  zone += `${index % 3 ? `d${index}` : long} MX 10 mx\n${index % 3 ? `d${index}` : long} TXT "v=spf1 include:${text} ~all"\n`;
  zone += `_dmarc.d${index} TXT "v=DMARC1; p=${text}; rua=mailto:${text}"\ns1._domainkey.d${index} TXT "v=DKIM1; p=${text}"\n`;
  zone += `_mta-sts.d${index} TXT "v=STSv1; id=${text}"\n_smtp._tls.d${index} TXT "v=TLSRPTv1; rua=${text}"\n`;
});
zone += "<img\\032src=x\\032onerror=window.pwned=1> MX 10 mx\n";
writeFileSync(`${pages}/hostile/dns/<img src=x onerror=window.pwned=1>.zone`, zone);

const yaml = (text) => JSON.stringify(text);
const owner = traps.slice(0, 4).join(" ");
writeFileSync(`${pages}/hostile/mailvet.yaml`, `format: 1
organisation:
  name: ${yaml(`</style></title><script>window.pwned=1</script> "} *{display:none} \\ Evil & Söhne ${"W".repeat(90)}`)}
  engagement: ${yaml("E-1\"}body{display:none}</style>")}
  classification: ${yaml("TLP:AMBER<b>")}
  distribution: [${traps.slice(0, 5).map(yaml).join(", ")}]
  logo: logo.png
dns: { files: [dns/] }
domains:
  - { name: hostile.example, roles: [sends, receives], owner: ${yaml(owner)}, mx: [mx.hostile.example] }
  - { name: d1.hostile.example, roles: [sends, receives], owner: ${yaml("N".repeat(300))} }
waivers: [waivers.yaml]
`);
writeFileSync(`${pages}/hostile/waivers.yaml`, `waivers:
  - rule: spoofing/spf-not-enforced
    target: d1.hostile.example
    reason: ${yaml(`${traps.join(" ")} and so on`)}
    approved_by: ${yaml(owner)}
    ticket: ${yaml("javascript:window.pwned=1")}
    created: 2026-10-01
    expires: 2027-01-31
`);

// A picture of 8 by 8 grey points.
const crc = (bytes) => {
  let value = ~0;
  for (const byte of bytes) {
    value ^= byte;
    for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  }
  return ~value >>> 0;
};
const chunk = (kind, data) => {
  const body = Buffer.concat([Buffer.from(kind), data]);
  const frame = Buffer.alloc(8);
  frame.writeUInt32BE(data.length);
  frame.writeUInt32BE(crc(body), 4);
  return Buffer.concat([frame.subarray(0, 4), body, frame.subarray(4)]);
};
const head = Buffer.from([0, 0, 0, 8, 0, 0, 0, 8, 8, 0, 0, 0, 0]);
const points = deflateSync(Buffer.alloc(8 * 9, 0x80).map((byte, at) => (at % 9 ? byte : 0)));
writeFileSync(`${pages}/hostile/logo.png`, Buffer.concat([
  Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head), chunk("IDAT", points), chunk("IEND", Buffer.alloc(0)),
]));

// About thirty failures in each of two thousand domains.
mkdirSync(`${pages}/large`);
for (let index = 0; index < 2000; index++) {
  const name = `d${String(index).padStart(6, "0")}.example`;
  writeFileSync(`${pages}/large/${name}.zone`, `$ORIGIN ${name}.
$TTL 60
@ SOA ns1 h 1 60 60 60 999999
@ NS ns1
ns1 A 192.0.2.${1 + index % 250}
@ MX 10 mx${index % 7}
@ MX 20 192.0.2.1
@ A 192.0.2.5
mx${index % 7} CNAME other
other A 10.0.0.${1 + index % 250}
@ TXT "v=spf1; all"
_dmarc TXT "v=dmarc1; p=none"
@ TXT "v=spf1 ptr include:_spf${index % 9}.${name} a:a.${name} a:b.${name} a:c.${name} a:d.${name} a:e.${name}" " a:f.${name} a:g.${name} a:h.${name} mx ip4:0.0.0.0/${1 + index % 3} +all ip4:192.0.2.${index % 250}"
_spf${index % 9} TXT "v=spf1 ip4:192.0.2.0/2 ?all"
_dmarc TXT "v=DMARC1; pct=${index % 90}; p=none; sp=none; np=none; t=y; rua=mailto:r@else.example"
s1._domainkey TXT "v=DKIM1; k=rsa; h=sha1; t=y; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC7"
s2._domainkey TXT "v=DKIM1; p="
_mta-sts TXT "v=STSv1; id=bad id;"
_smtp._tls TXT "v=TLSRPTv1; rua=ftp:x"
default._bimi TXT "v=BIMI1; l=http://x/y.svg"
_25._tcp.mx${index % 7} TLSA 0 0 0 abcd
@ CAA 0 issuex "x"
* MX 10 mx
* TXT "x"
@ TYPE99 "v=spf1 -all"
s3._domainkey TXT "v=DKIM1; p="
s3._domainkey TXT "v=DKIM1; s=other; p="
*._domainkey TXT "v=DKIM1; p="
`);
}
