declare module "length-prefixed-stream" {
  import type { Transform } from "node:stream";

  interface DecodeOptions {
    /** The longest message in bytes; 0 is unlimited. */
    limit?: number;
    /** Keeps empty messages, and the stream in object mode. */
    allowEmpty?: boolean;
  }

  const lengthPrefixedStream: { decode(options?: DecodeOptions): Transform };
  export = lengthPrefixedStream;
}

declare module "length-prefix-framed-stream" {
  import { Transform, type TransformOptions } from "node:stream";

  export class Decode extends Transform {
    constructor(options?: TransformOptions);
  }
  export function encodeLength(bytes: number): Uint8Array;
}

declare module "split2" {
  import type { Transform, TransformOptions } from "node:stream";

  /** Strings without `matcher`; `maxLength` counts characters. */
  function split2(matcher: string | RegExp, options?: TransformOptions & { maxLength?: number }): Transform;
  export = split2;
}
