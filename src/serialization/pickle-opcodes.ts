/** What follows an opcode: nothing, a fixed number of bytes, one or two lines, or a length of 1, 4 or 8 bytes and that many bytes. */
export type Argument = 'none' | 'byte' | 'two' | 'four' | 'eight' | 'line' | 'two lines' | 'counted 1' | 'counted 4' | 'counted 8'

const byArgument: Readonly<Record<Argument, string>> = {
  // MARK STOP POP POP_MARK DUP NONE BINPERSID REDUCE APPEND BUILD DICT EMPTY_DICT APPENDS LIST EMPTY_LIST OBJ SETITEM TUPLE EMPTY_TUPLE
  // SETITEMS; NEWOBJ TUPLE1 TUPLE2 TUPLE3 NEWTRUE NEWFALSE; EMPTY_SET ADDITEMS FROZENSET NEWOBJ_EX STACK_GLOBAL MEMOIZE NEXT_BUFFER READONLY_BUFFER
  none: '(.012NQRabd}el]ost)u\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x92\x93\x94\x97\x98',
  byte: 'Khq\x80\x82', // BININT1 BINGET BINPUT; PROTO EXT1
  two: 'M\x83', // BININT2; EXT2
  four: 'Jjr\x84', // BININT LONG_BINGET LONG_BINPUT; EXT4
  eight: 'G\x95', // BINFLOAT; FRAME
  line: 'FILPSVgp', // FLOAT INT LONG PERSID STRING UNICODE GET PUT
  'two lines': 'ci', // GLOBAL INST
  'counted 1': 'UC\x8a\x8c', // SHORT_BINSTRING SHORT_BINBYTES; LONG1 SHORT_BINUNICODE
  'counted 4': 'TXB\x8b', // BINSTRING BINUNICODE BINBYTES; LONG4
  'counted 8': '\x8d\x8e\x96', // BINUNICODE8 BINBYTES8 BYTEARRAY8
}

/** The argument of each opcode of the protocols 0 to 5, by its byte; undefined for bytes that are none. */
export const opcodeArguments: readonly (Argument | undefined)[] = tableOf(byArgument)

function tableOf(groups: Readonly<Record<Argument, string>>): (Argument | undefined)[] {
  const table: (Argument | undefined)[] = new Array(256).fill(undefined)
  for (const [argument, opcodes] of Object.entries(groups)) {
    for (const opcode of opcodes) table[opcode.charCodeAt(0)] = argument as Argument
  }
  return table
}
