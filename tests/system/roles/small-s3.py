# A small S3 for one test: objects in memory, path style, no check of signatures.
import re, sys, hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit, parse_qs, unquote
from xml.sax.saxutils import escape
objects, uploads = {}, {}
class S3(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def log_message(self, *a): pass
    def parts(self):
        u = urlsplit(self.path); p = unquote(u.path).lstrip('/').split('/', 1)
        return (p[1] if len(p) > 1 else ''), parse_qs(u.query, keep_blank_values=True)
    def body(self): return self.rfile.read(int(self.headers.get('Content-Length') or 0))
    def answer(self, code, body=b'', **headers):
        if isinstance(body, str): body = body.encode()
        self.send_response(code)
        for k, v in headers.items(): self.send_header(k.replace('_', '-'), v)
        if 'Content_Length' not in headers: self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD': self.wfile.write(body)
    def missing(self): self.answer(404, '<Error><Code>NoSuchKey</Code><Message>none</Message></Error>')
    def do_HEAD(self): self.do_GET()
    def do_GET(self):
        key, q = self.parts()
        if 'uploads' in q:
            return self.answer(200, '<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>' + ''.join(f'<Upload><Key>{escape(k)}</Key><UploadId>{i}</UploadId></Upload>' for i, (k, _) in uploads.items() if k.startswith(q.get('prefix', [''])[0])) + '</ListMultipartUploadsResult>')
        if 'uploadId' in q:
            ps = uploads[q['uploadId'][0]][1]
            return self.answer(200, '<ListPartsResult><IsTruncated>false</IsTruncated>' + ''.join(f'<Part><PartNumber>{n}</PartNumber><ETag>"{hashlib.md5(b).hexdigest()}"</ETag><Size>{len(b)}</Size></Part>' for n, b in sorted(ps.items())) + '</ListPartsResult>')
        if key == '':
            prefix, d = q.get('prefix', [''])[0], q.get('delimiter', [''])[0]
            keys, common = [], set()
            for k in sorted(objects):
                if not k.startswith(prefix): continue
                rest = k[len(prefix):]
                if d and d in rest: common.add(prefix + rest.split(d)[0] + d)
                else: keys.append(k)
            return self.answer(200, '<ListBucketResult><IsTruncated>false</IsTruncated><KeyCount>%d</KeyCount>' % (len(keys) + len(common)) + ''.join(f'<Contents><Key>{escape(k)}</Key><Size>{len(objects[k])}</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>' for k in keys) + ''.join(f'<CommonPrefixes><Prefix>{escape(c)}</Prefix></CommonPrefixes>' for c in sorted(common)) + '</ListBucketResult>')
        if key not in objects: return self.missing()
        data = objects[key]; r = re.match(r'bytes=(\d+)-(\d*)', self.headers.get('Range') or '')
        h = dict(ETag='"x"', Last_Modified='Thu, 01 Jan 2026 00:00:00 GMT')
        if r:
            a = int(r[1]); b = int(r[2]) if r[2] else len(data) - 1
            if a >= len(data): return self.answer(416, '<Error><Code>InvalidRange</Code></Error>')
            part = data[a:b + 1]
            return self.answer(206, part, Content_Range=f'bytes {a}-{a+len(part)-1}/{len(data)}', Content_Length=str(len(part)), **h)
        self.answer(200, data, Content_Length=str(len(data)), **h)
    def do_PUT(self):
        key, q = self.parts(); data = self.body(); source = self.headers.get('x-amz-copy-source')
        if source: data = objects[unquote(source).lstrip('/').split('/', 1)[1]]
        r = re.match(r'bytes=(\d+)-(\d+)', self.headers.get('x-amz-copy-source-range') or '')
        if r: data = data[int(r[1]):int(r[2]) + 1]
        tag = hashlib.md5(data).hexdigest()
        if 'uploadId' in q: uploads[q['uploadId'][0]][1][int(q['partNumber'][0])] = data
        else: objects[key] = data
        if source: return self.answer(200, f'<CopyResult><ETag>"{tag}"</ETag><LastModified>2026-01-01T00:00:00.000Z</LastModified></CopyResult>')
        self.answer(200, ETag=f'"{tag}"')
    def do_POST(self):
        key, q = self.parts(); data = self.body()
        if 'uploads' in q:
            i = str(len(uploads) + 1000); uploads[i] = (key, {})
            return self.answer(200, f'<InitiateMultipartUploadResult><UploadId>{i}</UploadId><Key>{escape(key)}</Key></InitiateMultipartUploadResult>')
        if 'uploadId' in q:
            _, ps = uploads.pop(q['uploadId'][0]); objects[key] = b''.join(b for _, b in sorted(ps.items()))
            return self.answer(200, '<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>')
        if 'delete' in q:
            for k in re.findall(rb'<Key>([^<]*)</Key>', data): objects.pop(k.decode(), None)
            return self.answer(200, '<DeleteResult></DeleteResult>')
        self.missing()
    def do_DELETE(self):
        key, q = self.parts()
        if 'uploadId' in q: uploads.pop(q['uploadId'][0], None)
        objects.pop(key, None); self.answer(204)
ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), S3).serve_forever()
