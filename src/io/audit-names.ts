/** The arrays of an audit folder, by the names that their files have there and their keys in a bundle. */
export const auditArrayNames = ['activations', 'labels', 'preds', 'logits', 'trusted_activations', 'trusted_labels', 'class_names'] as const

/** What pictures and texts are called in an audit folder, the first that is there. */
export const imageFileNames = ['images.npz', 'images_subset.npz'] as const
export const textFileNames = ['texts.jsonl.gz', 'texts.jsonl'] as const

export type AuditArrayName = (typeof auditArrayNames)[number]
