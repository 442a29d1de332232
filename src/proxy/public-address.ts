import { lookup as systemLookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { Refused } from './refused.js'

// Addresses that are no one's on the internet (IANA special-purpose registries): this machine, its networks, its cloud's metadata.
const special = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  special.addSubnet(network, prefix, 'ipv4')
}
// Within what is given out of IPv6: tunnels to IPv4 addresses, documentation.
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  special.addSubnet(network, prefix, 'ipv6')
}
const globalUnicast = new BlockList()
globalUnicast.addSubnet('2000::', 3, 'ipv6')

/** Whether an IP address is one of the public internet. */
export function isPublicAddress(address: string): boolean {
  const version = isIP(address)
  if (version === 4) return !special.check(address, 'ipv4')
  return version === 6 && globalUnicast.check(address, 'ipv6') && !special.check(address, 'ipv6')
}

/**
 * Looks up a host for a connection, and refuses it where any of its addresses is not public. The connection goes to what is looked up here:
 * a name that gives another address the next time gains nothing by it.
 */
export function publicLookup(lookup: LookupFunction = systemLookup as LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, address, family) => {
      if (error) return callback(error, address, family)
      const addresses = typeof address === 'string' ? [address] : address.map((one) => one.address)
      if (addresses.length > 0 && addresses.every(isPublicAddress)) return callback(null, address, family)
      callback(notPublic(hostname, addresses), address, family)
    })
  }
}

/** Throws `Refused` where a host that is an address is not a public one. */
export function checkLiteral(hostname: string): void {
  const address = hostname.replace(/^\[|\]$/g, '')
  if (isIP(address) !== 0 && !isPublicAddress(address)) throw notPublic(hostname, [address])
}

function notPublic(hostname: string, addresses: readonly string[]): Refused {
  return new Refused(
    'redirect-refused',
    `upstream: sends to ${hostname}${addresses[0] === hostname ? '' : ` (${addresses.join(', ') || 'no address'})`}, which is not on the public internet; name its origin by --redirect-to if it belongs to the upstream`,
  )
}
