"""The gate for public keys from outside (D4): plain integer arithmetic for X25519, libsodium's own for Ed25519."""

from nacl import bindings

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
A = 486662
# A point of order 8 on edwards25519; adding its multiples leaves the prime-order subgroup.
TORSION = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")


def admits_box_key(key):
    """Canonical, on the curve itself, not the identity, in the prime-order subgroup."""
    if len(key) != 32:
        return False
    u = int.from_bytes(key, "little")
    if u >= P or u == 0:
        return False
    v_squared = (u * u * u + A * u * u + u) % P
    if pow(v_squared, (P - 1) // 2, P) != 1:
        return False
    return multiple_is_infinity(ORDER, u)


def admits_sign_key(key):
    """libsodium: canonical, on the curve, of the main subgroup, not of small order."""
    return len(key) == 32 and bool(bindings.crypto_core_ed25519_is_valid_point(key))


def multiple_is_infinity(scalar, u):
    """The Montgomery ladder over x alone, without clamping the scalar."""
    x2, z2, x3, z3 = 1, 0, u, 1
    for place in reversed(range(scalar.bit_length())):
        if scalar >> place & 1:
            x2, z2, x3, z3 = x3, z3, x2, z2
        a, b, c, d = x2 + z2, x2 - z2, x3 + z3, x3 - z3
        aa, bb, da, cb = a * a % P, b * b % P, d * a, c * b
        e = aa - bb
        x3, z3 = pow(da + cb, 2, P), u * pow(da - cb, 2, P) % P
        x2, z2 = aa * bb % P, e * (bb + (A + 2) // 4 * e) % P
        if scalar >> place & 1:
            x2, z2, x3, z3 = x3, z3, x2, z2
    return z2 % P == 0


KINDS = ("honest", "mixed", "torsion", "random", "not_canonical", "high_bit")


def candidate_sign_key(kind, stream):
    honest, _ = bindings.crypto_sign_seed_keypair(stream.take(32))
    times = stream.take(1)[0] % 7 + 1
    if kind == "mixed":
        return plus_torsion(honest, times)
    if kind == "torsion":
        return plus_torsion(bytes([1]) + bytes(31), times)
    if kind == "random":
        return stream.take(32)
    if kind == "not_canonical":
        return (P + stream.take(1)[0] % 19).to_bytes(32, "little")
    if kind == "high_bit":
        return honest[:31] + bytes([honest[31] ^ 0x80])
    return honest


def candidate_box_key(kind, stream):
    if kind in ("mixed", "torsion"):
        return montgomery(candidate_sign_key(kind, stream))
    honest = bindings.crypto_scalarmult_base(stream.take(32))
    if kind == "random":
        return stream.take(32)
    if kind == "not_canonical":
        return (P + stream.take(1)[0] % 19).to_bytes(32, "little")
    if kind == "high_bit":
        return honest[:31] + bytes([honest[31] ^ 0x80])
    return honest


def plus_torsion(point, times):
    for _ in range(times):
        point = bindings.crypto_core_ed25519_add(point, TORSION)
    return point


def montgomery(edwards):
    """u = (1 + y) / (1 - y)."""
    y = int.from_bytes(edwards, "little") & (2**255 - 1)
    return ((1 + y) * pow(1 - y, -1, P) % P if y != 1 else 0).to_bytes(32, "little")
