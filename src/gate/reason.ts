/** Why a gate decides as it does, by code. Codes are stable; docs/policy.md lists them with these words. */
export const reasons = {
  allowed: 'Everything that the policy asks for is there, and nothing that it cannot decide.',
  'signature-refused': 'The signature is missing or does not hold, or the files are not what was signed; `refusal` says what.',
  'file-unsigned': 'A file lies beside the signed ones that is neither the signature nor the claims, and that the policy does not allow.',
  'claims-missing': 'There is no file of claims.',
  'claims-unreadable': 'The file of claims is none: a link, a device, too large, with too many lines, or without any.',
  'claim-refused': 'A line is no claim, or its signature does not hold; `refusal` says what.',
  'claim-unexpected': 'A claim of a kind, a stage or a test that the policy has no rule for.',
  'claim-unrelated': 'A claim about something that is not a part of this chain.',
  'claim-renamed': 'A claim about the same bytes under other names: the root digest is this one, the signed statement another.',
  'claim-future': 'A claim from the future.',
  'claim-stale': 'A claim that is older than the policy takes it.',
  'signer-unknown': 'A claim by nobody whom the policy names.',
  'signer-not-allowed': 'A claim by somebody who may not make it, in the place that it has.',
  'builder-not-allowed': 'A stage that was gone through where the policy does not allow it.',
  'stage-not-allowed': 'What is asked about comes from another stage than the policy takes.',
  'stage-order': 'A stage that was fed from one that may not come before it, or without what it needs.',
  'link-missing': 'Something in the chain that no claim says the origin of, and that is no root.',
  'link-ambiguous': 'Two claims that say the origin of one and the same thing.',
  'link-unbound': 'An input that a claim does not bind by both its root digest and its signed statement.',
  'chain-cycle': 'Something that is made of itself.',
  'root-untrusted': 'A chain that begins at something that the policy does not take for a root.',
  'verdict-failed': 'A gate did not let something in the chain through.',
  'test-missing': 'A test that the policy asks for, and that nobody whom it allows says was made, recently enough.',
  'test-failed': 'A test that was made, and whose result the policy does not take.',
} as const

export type ReasonCode = keyof typeof reasons
