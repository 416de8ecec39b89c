// Prints the size of a file after brotli, as browsers get it: node size.mjs FILE
import { readFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";

const file = readFileSync(process.argv[2]);
const packed = brotliCompressSync(file, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24, [constants.BROTLI_PARAM_SIZE_HINT]: file.length } });
console.log(JSON.stringify({ bytes: file.length, brotli: packed.length }));
