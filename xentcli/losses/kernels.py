"""What the certificates assume of numpy's exp and log1p on this machine, put to the test.

The table holds correctly rounded values at fixed arguments, made with Arb at 300 bits (python-flint).  The arguments
are exact: exp over the range in which it does not underflow, log1p from 2^-70 to 2^21.
"""

from __future__ import annotations

import math

import numpy as np

from xentcli.errors import CertificateError

UNIT_IN_LAST_PLACE = 2.0**-52
ALLOWED = 4.0  # units of roundoff: half of what the proofs assume

EXP_ARGUMENTS = np.array([-11.0 * i * i / 1024.0 for i in range(256)])
LOG1P_ARGUMENTS = np.array([math.ldexp(16.0 + i % 16, 6 * (i // 16) - 74) for i in range(256)])


def check_kernels() -> None:
    """Compare exp and log1p with the table, 256 arguments each, and try how sums round; takes well under 1 ms.

    Raises CertificateError where one errs by more than 4 u, u = 2^-53, or float64 does not round to nearest.
    """
    _check_rounding()
    for kernel, arguments, table in ((np.exp, EXP_ARGUMENTS, EXP_VALUES), (np.log1p, LOG1P_ARGUMENTS, LOG1P_VALUES)):
        values = _read(table)
        computed = kernel(arguments)
        error = np.nan_to_num(np.abs(computed - values) / values * 2.0**53, nan=np.inf)
        worst = int(error.argmax())
        if error[worst] > ALLOWED:
            raise CertificateError(
                f"numpy's float64 {kernel.__name__} is less exact here than the certificates assume",
                at=f"{kernel.__name__}({float(arguments[worst])!r})",
                found=f"{float(computed[worst])!r}, off by {error[worst]:.3g} u",
                expected=f"{float(values[worst])!r}, off by at most {ALLOWED:g} u",
                hint="try another numpy; `--reference off` compares the two paths without certificates",
            )


def _check_rounding() -> None:
    """Each of these ties and near-ties goes elsewhere in another rounding mode."""
    sums = np.array([1.0, -1.0, 1.0 + UNIT_IN_LAST_PLACE, 1.0]) + np.array([1.0, -1.0, 1.0, 1.5]) * 2.0**-53
    expected = np.array([1.0, -1.0, 1.0 + 2.0 * UNIT_IN_LAST_PLACE, 1.0 + UNIT_IN_LAST_PLACE])
    if not np.array_equal(sums, expected):
        raise CertificateError(
            "float64 does not round to nearest here, as the certificates assume",
            found=f"1 + 2^-53 is {float(sums[0])!r}",
            expected="1.0",
            hint="a library changed the rounding mode (fesetround)? `--reference off` does without certificates",
        )


def _read(table: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([float.fromhex(text) for text in table.split()])


EXP_VALUES = """
    0x1.0000000000000p+0 0x1.fa87891616ccdp-1 0x1.ea77490f0196bp-1 0x1.d0d14a2e633fdp-1 0x1.af25b0a61a7b5p-1
    0x1.876a6570a64bfp-1 0x1.5bcadd93506d5p-1 0x1.2e766911e890ep-1 0x1.017323fd90020p-1 0x1.acf4c3f70d4c4p-2
    0x1.5dc31577a457ep-2 0x1.1720878310e8bp-2 0x1.b40b5b50e75c2p-3 0x1.4d5948fa5e0e9p-3 0x1.f2d892fe2e379p-4
    0x1.6d51f2a3e00a6p-4 0x1.05d93892fa010p-4 0x1.6f6393c28f324p-5 0x1.f8831778914f5p-6 0x1.530b58a533143p-6
    0x1.be019216b7bdap-7 0x1.1f1eec84ca6cbp-7 0x1.69d0ed864a601p-8 0x1.be40a247fd5ecp-9 0x1.0d58f0801b214p-9
    0x1.3e3b81424d4b4p-10 0x1.6fff8134038ccp-11 0x1.a080433468430p-12 0x1.cd608c022b47ap-13 0x1.f439a30762ce1p-14
    0x1.096883588f934p-14 0x1.13a72d7bcbac1p-15 0x1.18354238f6764p-16 0x1.16c8b4eb65c59p-17 0x1.0f78c227ddfa3p-18
    0x1.02bb7c4595395p-19 0x1.e2b2f09099d37p-21 0x1.b8b2c9ff42bafp-22 0x1.89ccde611752cp-23 0x1.5869d28f376d9p-24
    0x1.26d15022c4f78p-25 0x1.edffd32875c0dp-27 0x1.9513fab3a33f0p-28 0x1.451a4794df956p-29 0x1.febe037e80adap-31
    0x1.88aa4f8d74152p-32 0x1.277831daffae2p-33 0x1.b336a3fad92dcp-35 0x1.39b6517f01c8bp-36 0x1.baa6418178359p-38
    0x1.31a7083fa5521p-39 0x1.9d23610724f38p-41 0x1.1146c75bb3f4fp-42 0x1.61d763f003271p-44 0x1.c06b5f1f2ef56p-46
    0x1.16196298ac3f2p-47 0x1.519bfab0c7bb2p-49 0x1.91247409da1edp-51 0x1.d28026073ccd0p-53 0x1.097cfc9f9176fp-54
    0x1.27c24680f5909p-56 0x1.427a4fae3ae05p-58 0x1.58230b88d7f3bp-60 0x1.6771da7a16012p-62 0x1.6f741de1748ecp-64
    0x1.6fa812afefabbp-66 0x1.680a68c3f5a1cp-68 0x1.59169c68a7237p-70 0x1.43ba04d78ab2fp-72 0x1.293b7a8dd1553p-74
    0x1.0b1b0e6640a21p-76 0x1.d5dc7d6e78507p-79 0x1.947a8be13773cp-81 0x1.54cb1820c3de0p-83 0x1.19083a5d6c662p-85
    0x1.c5a63ee0a9878p-88 0x1.665d228b8171bp-90 0x1.151335c1de368p-92 0x1.a357fc1b9872cp-95 0x1.3696172402fc0p-97
    0x1.c24aaa0ff06a1p-100 0x1.3f7b2017e62d5p-102 0x1.bbb4ca2697abfp-105 0x1.2d91734327874p-107 0x1.91368329f81f2p-110
    0x1.0537eb7874704p-112 0x1.4cea0196719bep-115 0x1.9f44fa0873558p-118 0x1.fafccaee95ca8p-121 0x1.2ee73bc12a268p-123
    0x1.62400d26ab8f0p-126 0x1.957ec5c590cfep-129 0x1.c6499a389d83bp-132 0x1.f2220d095e0c2p-135 0x1.0b4cdaf48785fp-137
    0x1.18c57552afd2ap-140 0x1.20a717e64a9bdp-143 0x1.22729e3d214a4p-146 0x1.1e0abf79d0c39p-149 0x1.13b724f4f1f2dp-152
    0x1.041ce1483ef1cp-155 0x1.e05ac370cd2f0p-159 0x1.b21c9a63a5a79p-162 0x1.7ffb54921f51cp-165 0x1.4c6be83868720p-168
    0x1.19aaf0b3c1517p-171 0x1.d32e28ff0b84ap-175 0x1.7b33e44c1de3dp-178 0x1.2d402065f847ap-181 0x1.d478cfa578058p-185
    0x1.64840d5d1bb53p-188 0x1.098c5d5e9503bp-191 0x1.832ce2c920443p-195 0x1.144177c265b90p-198 0x1.81d8a8bbdf85fp-202
    0x1.07ba782e7ba62p-205 0x1.60db6b6c6f2ebp-209 0x1.ce129bcee6cfcp-213 0x1.281d93a155948p-216 0x1.7375a52fcea90p-220
    0x1.c811df117cd9fp-224 0x1.1206769492261p-227 0x1.424ab49e58518p-231 0x1.7300c592ff311p-235 0x1.a1ffb25c018fep-239
    0x1.ccf0054230500p-243 0x1.f17bc37ab7f99p-247 0x1.06c1d79a51288p-250 0x1.0fa9a8317651fp-254 0x1.12e66e70a481cp-258
    0x1.10436e8f26062p-262 0x1.07eba38b52bbdp-266 0x1.f4ca6f7ae1102p-271 0x1.d10724ac52390p-275 0x1.a6a3fb8abe10ap-279
    0x1.77f3cbf2c50c2p-283 0x1.47503e0f69c4bp-287 0x1.16e901a7d05b1p-291 0x1.d139f47a814bcp-296 0x1.7bc157093d4fcp-300
    0x1.2f65e08a29bbbp-304 0x1.da7bbd8391e09p-309 0x1.6b22b4198a11ep-313 0x1.1002beda3d9d2p-317 0x1.8ed7fc0ae6ed6p-322
    0x1.1e3163079ee2fp-326 0x1.91fd42760aa77p-331 0x1.1451782b6953fp-335 0x1.73cba28c50f38p-340 0x1.e9a1492aa9dffp-345
    0x1.3b8d692ddfd12p-349 0x1.8e156a81c7f69p-354 0x1.eb86b5b94a1d6p-359 0x1.29005abb378dcp-363 0x1.5f4b0dbb167ccp-368
    0x1.96ad811af96eep-373 0x1.ccc990f589dd7p-378 0x1.feffc7c7b1dd2p-383 0x1.155199aebc114p-387 0x1.269a7841d7d42p-392
    0x1.32502e40fd165p-397 0x1.37b80a4733318p-402 0x1.367a384cd8cfbp-407 0x1.2eaafb278ad7ap-412 0x1.20c889575b1cfp-417
    0x1.0daddd6129442p-422 0x1.ecf8c7f785fe9p-428 0x1.b8ff62e46932bp-433 0x1.821e28c91dda8p-438 0x1.4ae1be5cfd93cp-443
    0x1.15854db14c14ap-448 0x1.c7a2a3b0622f2p-454 0x1.6e1515360ca0dp-459 0x1.1fe0f8a1e709cp-464 0x1.bb239773aefd1p-470
    0x1.4dd16a634f689p-475 0x1.ec3e0e6f00841p-481 0x1.63364aa1c71b0p-486 0x1.f5c2829c08b75p-492 0x1.5ad9f6778e06ap-497
    0x1.d557dbd1b1c77p-503 0x1.36cc12b119a20p-508 0x1.92de436fef145p-514 0x1.ff1d610acbad9p-520 0x1.3d54e2cabb6afp-525
    0x1.81a9a63a7bc5fp-531 0x1.cabebcfb34b02p-537 0x1.0b09fa3f3ea9ap-542 0x1.304862c5db9e7p-548 0x1.5359ed4fa0c55p-554
    0x1.726aca770e505p-560 0x1.8bbb9e6e6922ep-566 0x1.9dcae3910bf72p-572 0x1.a77acec5dae83p-578 0x1.a82e8a926066bp-584
    0x1.9fdaa11ce23dep-590 0x1.8f0631bfe8070p-596 0x1.76bcc4c6422ebp-602 0x1.5872ce5c3482dp-608 0x1.35e0cdbac0b6cp-614
    0x1.10da1a4fcd10fp-620 0x1.d64963eafb020p-627 0x1.8cad7a8b06564p-633 0x1.477a63bc34e75p-639 0x1.089a97b6b421ep-645
    0x1.a2837de9bcf89p-652 0x1.43f03db6c1225p-658 0x1.eacfc46f7e852p-665 0x1.6beba9c69ec8ap-671 0x1.081982b281b22p-677
    0x1.772b9c410e41ap-684 0x1.04d009ffbf074p-690 0x1.62eb0e180a7eep-697 0x1.d8b67593af7c1p-704 0x1.341c2990aefcfp-710
    0x1.891c15930ba91p-717 0x1.eae5dcfd4791bp-724 0x1.2bfdaa253d15fp-730 0x1.66dc03f67f235p-737 0x1.a427d4b49cbc3p-744
    0x1.e17739c1af977p-751 0x1.0dff694647fd2p-757 0x1.2862352eeef80p-764 0x1.3e6ecc1591d91p-771 0x1.4ed9b506932efp-778
    0x1.58a155a7ca8b6p-785 0x1.5b2810a2974c2p-792 0x1.5644b15f1025cp-799 0x1.4a46c43b4565ap-806 0x1.37ee38399db2fp-813
    0x1.20578372c03a0p-820 0x1.04df256a072d3p-827 0x1.ce00fbf095205p-835 0x1.9068ae0639f20p-842 0x1.53a65722a7cd6p-849
    0x1.19fc8d75d0873p-856 0x1.ca460c87a556cp-864 0x1.6c781cebc5d86p-871 0x1.1bb45a883a1a1p-878 0x1.b04932641134fp-886
    0x1.4257454afb4f8p-893 0x1.d67fe09fe8384p-901 0x1.50146e04ae027p-908 0x1.d5ebd7baf6791p-916 0x1.418c8e9b8e8c8p-923
    0x1.aeb1a9e73568ap-931 0x1.1a4ff5c16a458p-938 0x1.6a3c2672dab39p-946 0x1.c6e79308202c8p-954 0x1.1791c818cc1d4p-961
    0x1.5053169b08f60p-969 0x1.8c00669585303p-977 0x1.c85b614dbf154p-985 0x1.015dce727124fp-992 0x1.1c1e2dfa8fb8cp-1000
    0x1.32fbb7cad2aa1p-1008
"""

LOG1P_VALUES = """
    0x1.0000000000000p-70 0x1.1000000000000p-70 0x1.2000000000000p-70 0x1.3000000000000p-70 0x1.4000000000000p-70
    0x1.5000000000000p-70 0x1.6000000000000p-70 0x1.7000000000000p-70 0x1.8000000000000p-70 0x1.9000000000000p-70
    0x1.a000000000000p-70 0x1.b000000000000p-70 0x1.c000000000000p-70 0x1.d000000000000p-70 0x1.e000000000000p-70
    0x1.f000000000000p-70 0x1.0000000000000p-64 0x1.1000000000000p-64 0x1.2000000000000p-64 0x1.3000000000000p-64
    0x1.4000000000000p-64 0x1.5000000000000p-64 0x1.6000000000000p-64 0x1.7000000000000p-64 0x1.8000000000000p-64
    0x1.9000000000000p-64 0x1.a000000000000p-64 0x1.b000000000000p-64 0x1.c000000000000p-64 0x1.d000000000000p-64
    0x1.e000000000000p-64 0x1.f000000000000p-64 0x1.0000000000000p-58 0x1.1000000000000p-58 0x1.2000000000000p-58
    0x1.3000000000000p-58 0x1.4000000000000p-58 0x1.5000000000000p-58 0x1.6000000000000p-58 0x1.7000000000000p-58
    0x1.8000000000000p-58 0x1.9000000000000p-58 0x1.a000000000000p-58 0x1.b000000000000p-58 0x1.c000000000000p-58
    0x1.d000000000000p-58 0x1.e000000000000p-58 0x1.f000000000000p-58 0x1.fffffffffffffp-53 0x1.0ffffffffffffp-52
    0x1.1ffffffffffffp-52 0x1.2ffffffffffffp-52 0x1.3ffffffffffffp-52 0x1.4ffffffffffffp-52 0x1.5ffffffffffffp-52
    0x1.6ffffffffffffp-52 0x1.7ffffffffffffp-52 0x1.8ffffffffffffp-52 0x1.9ffffffffffffp-52 0x1.affffffffffffp-52
    0x1.bfffffffffffep-52 0x1.cfffffffffffep-52 0x1.dfffffffffffep-52 0x1.efffffffffffep-52 0x1.fffffffffffc0p-47
    0x1.0ffffffffffdcp-46 0x1.1ffffffffffd8p-46 0x1.2ffffffffffd3p-46 0x1.3ffffffffffcep-46 0x1.4ffffffffffc9p-46
    0x1.5ffffffffffc4p-46 0x1.6ffffffffffbep-46 0x1.7ffffffffffb8p-46 0x1.8ffffffffffb2p-46 0x1.9ffffffffffacp-46
    0x1.affffffffffa5p-46 0x1.bffffffffff9ep-46 0x1.cffffffffff97p-46 0x1.dffffffffff90p-46 0x1.effffffffff88p-46
    0x1.ffffffffff000p-41 0x1.0fffffffff6f8p-40 0x1.1fffffffff5e0p-40 0x1.2fffffffff4b8p-40 0x1.3fffffffff380p-40
    0x1.4fffffffff238p-40 0x1.5fffffffff0e0p-40 0x1.6ffffffffef78p-40 0x1.7ffffffffee00p-40 0x1.8ffffffffec78p-40
    0x1.9ffffffffeae0p-40 0x1.affffffffe938p-40 0x1.bffffffffe780p-40 0x1.cffffffffe5b8p-40 0x1.dffffffffe3e0p-40
    0x1.effffffffe1f8p-40 0x1.ffffffffc0000p-35 0x1.0fffffffdbe00p-34 0x1.1fffffffd7800p-34 0x1.2fffffffd2e00p-34
    0x1.3fffffffce000p-34 0x1.4fffffffc8e00p-34 0x1.5fffffffc3800p-34 0x1.6fffffffbde00p-34 0x1.7fffffffb8000p-34
    0x1.8fffffffb1e00p-34 0x1.9fffffffab800p-34 0x1.afffffffa4e00p-34 0x1.bfffffff9e000p-34 0x1.cfffffff96e00p-34
    0x1.dfffffff8f800p-34 0x1.efffffff87e00p-34 0x1.fffffff000000p-29 0x1.0ffffff6f8000p-28 0x1.1ffffff5e0000p-28
    0x1.2ffffff4b8000p-28 0x1.3ffffff380000p-28 0x1.4ffffff238000p-28 0x1.5ffffff0e0000p-28 0x1.6fffffef78000p-28
    0x1.7fffffee00000p-28 0x1.8fffffec78000p-28 0x1.9fffffeae0000p-28 0x1.afffffe938000p-28 0x1.bfffffe780000p-28
    0x1.cfffffe5b8000p-28 0x1.dfffffe3e0000p-28 0x1.efffffe1f8000p-28 0x1.fffffc00000abp-23 0x1.0ffffdbe00066p-22
    0x1.1ffffd7800079p-22 0x1.2ffffd2e0008fp-22 0x1.3ffffce0000a7p-22 0x1.4ffffc8e000c1p-22 0x1.5ffffc38000dep-22
    0x1.6ffffbde000fdp-22 0x1.7ffffb8000120p-22 0x1.8ffffb1e00146p-22 0x1.9ffffab80016ep-22 0x1.affffa4e0019ap-22
    0x1.bffff9e0001c9p-22 0x1.cffff96e001fcp-22 0x1.dffff8f800232p-22 0x1.effff87e0026dp-22 0x1.ffff0000aaaa3p-17
    0x1.0fff6f80665a6p-16 0x1.1fff5e00797fap-16 0x1.2fff4b808ee4dp-16 0x1.3fff3800a6aa1p-16 0x1.4fff2380c0ef4p-16
    0x1.5fff0e00ddd47p-16 0x1.6ffef780fd79ap-16 0x1.7ffee0011ffecp-16 0x1.8ffec7814583dp-16 0x1.9ffeae016e28fp-16
    0x1.affe93819a0e0p-16 0x1.bffe7801c9530p-16 0x1.cffe5b81fc17fp-16 0x1.dffe3e02327cfp-16 0x1.effe1f826ca1dp-16
    0x1.ffc00aa8ab110p-11 0x1.0fdbe66464aefp-10 0x1.1fd78796664c3p-10 0x1.2fd2e8ec58bd2p-10 0x1.3fce0a683a46cp-10
    0x1.4fc8ec0c09163p-10 0x1.5fc38dd9c340bp-10 0x1.6fbdefd366c39p-10 0x1.7fb811faf1845p-10 0x1.8fb1f45261509p-10
    0x1.9fab96dbb3de1p-10 0x1.afa4f998e6cabp-10 0x1.bf9e1c8bf79c8p-10 0x1.cf96ffb6e3c1bp-10 0x1.df8fa31ba890bp-10
    0x1.ef8806bc43481p-10 0x1.f0a30c01162a6p-5 0x1.075983598e471p-4 0x1.16536eea37ae1p-4 0x1.253f62f0a1417p-4
    0x1.341d7961bd1d1p-4 0x1.42edcbea646f0p-4 0x1.51b073f06183fp-4 0x1.60658a93750c4p-4 0x1.6f0d28ae56b4cp-4
    0x1.7da766d7b12cdp-4 0x1.8c345d6319b21p-4 0x1.9ab42462033adp-4 0x1.a926d3a4ad563p-4 0x1.b78c82bb0eda1p-4
    0x1.c5e548f5bc743p-4 0x1.d4313d66cb35dp-4 0x1.9c041f7ed8d33p+0 0x1.a881a29e52373p+0 0x1.b46a5ef8151a0p+0
    0x1.bfcb8fca92df1p+0 0x1.cab0bfa2a2002p+0 0x1.d5240f0e0e078p+0 0x1.df2e6d6e5fbaap+0 0x1.e8d7c710ccf31p+0
    0x1.f2272ae325a57p+0 0x1.fb22e98a1c24ep+0 0x1.01e85798eb9a3p+1 0x1.061acc9140e62p+1 0x1.0a2b23f3bab73p+1
    0x1.0e1b775589bd9p+1 0x1.11edb023bf0fep+1 0x1.15a38d392d6cep+1 0x1.63241004e9011p+2 0x1.670195fd09d81p+2
    0x1.6aa6bc1fa7f7ap+2 0x1.6e199690dcf5ap+2 0x1.715f4a96a881ep+2 0x1.747c3d1d77c26p+2 0x1.7774366fe3a8cp+2
    0x1.7a4a7e01dd7acp+2 0x1.7d01f05479589p+2 0x1.7f9d1063f119cp+2 0x1.821e15ac24bd5p+2 0x1.8486f789174c6p+2
    0x1.86d97686b1b19p+2 0x1.8917240ef39bcp+2 0x1.8b4168cb62a07p+2 0x1.8d5989fb16d5fp+2 0x1.368829f0af2dcp+3
    0x1.3878c57545f75p+3 0x1.3a4cfca5c6b79p+3 0x1.3c07e1d73e79ep+3 0x1.3dac0e4958625p+3 0x1.3f3bb9cd08c54p+3
    0x1.40b8cce97bc54p+3 0x1.4224eef7b2953p+3 0x1.4381913cf2864p+3 0x1.44cff7c098bc0p+3 0x1.46114066120b9p+3
    0x1.474668af8d66ap+3 0x1.487052745e1e0p+3 0x1.498fc7c395d39p+3 0x1.4aa57e1df1111p+3 0x1.4bb219284ae01p+3
    0x1.bb9d3deb8c76bp+3 0x1.bd8de0d96f709p+3 0x1.bf621ea06e4a3p+3 0x1.c11d09b6decc1p+3 0x1.c2c13b770cbc9p+3
    0x1.c450ebc77ab1fp+3 0x1.c5ce0340f7c4ep+3 0x1.c73a294b16ec8p+3 0x1.c896cf3741a11p+3 0x1.c9e5391707e1bp+3
    0x1.cb2684d677b55p+3 0x1.cc5bafff19f77p+3 0x1.cd859c6e8f0b7p+3 0x1.cea514395728ap+3 0x1.cfbacce4e405ep+3
    0x1.d0c76a1a2a58ap+3
"""
