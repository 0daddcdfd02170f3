"""Checks the invoice codec against every published example of BOLT-11, and against itself."""
# ruff: noqa: E501 - the published invoices are one word each

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.bolt11 import (
    AMOUNT_MSAT_MAX,
    FEATURES_DEFAULT,
    NUMBER_MAX,
    TEXT_CHARS_MAX,
    InvoiceFault,
    InvoiceRefused,
    Network,
    decode,
    encode,
)
from schemas.nostr.secp256k1 import recover, sign_recoverable

# BOLT-11, "Examples": the figures they share.
NODE_SECRET = bytes.fromhex("e126f68f7eafcc8b74f54d269fe206be715000f94dac067d1c04a8ca3b2db734")
NODE = "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad"
HASH = "0001020304050607080900010203040506070809000102030405060708090102"
SECRET = "11" * 32
CAKE_HASH = "3925b6f67e2c340036ed12093dd44e0368df1b6ea26c53dbe4811f58fd5db8c1"
PICO_HASH = "462264ede7e14047e9b249da94fefc47f41f7d02ee9b091815a5506bc8abf75f"
PICO_DESCRIPTION = (
    "Blockstream Store: 88.85 USD for Blockstream Ledger Nano S x 1, "
    '"Back In My Day" Sticker x 2, "I Got Lightning Working" Sticker x 2 and 1 more items'
)
FEATURES_99 = (1 << 99 | 1 << 14 | 1 << 8).to_bytes(13)

DONATION = "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrsgq357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap9us6v52vjjsrvywa6rt52cm9r9zqt8r2t7mlcwspyetp5h2tztugp9lfyql"
COFFEE = "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpu9qrsgquk0rl77nj30yxdy8j9vdx85fkpmdla2087ne0xh8nhedh8w27kyke0lp53ut353s06fv3qfegext0eh0ymjpf39tuven09sam30g4vgpfna3rh"
NONSENSE = "lnbc2500u1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpquwpc4curk03c9wlrswe78q4eyqc7d8d0xqzpu9qrsgqhtjpauu9ur7fw2thcl4y9vfvh4m9wlfyz2gem29g5ghe2aak2pm3ps8fdhtceqsaagty2vph7utlgj48u0ged6a337aewvraedendscp573dxr"
CAKE = "lnbc20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqs9qrsgq7ea976txfraylvgzuxs8kgcw23ezlrszfnh8r6qtfpr6cxga50aj6txm9rxrydzd06dfeawfk6swupvz4erwnyutnjq7x39ymw6j38gp7ynn44"
TESTNET = "lntb20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygshp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqfpp3x9et2e20v6pu37c5d9vax37wxq72un989qrsgqdj545axuxtnfemtpwkc45hx9d2ft7x04mt8q7y6t0k2dge9e7h8kpy9p34ytyslj3yu569aalz2xdk8xkd7ltxqld94u8h2esmsmacgpghe9k8"
ROUTE_HINTS = "lnbc20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqsfpp3qjmp7lwpagxun9pygexvgpjdc4jdj85fr9yq20q82gphp2nflc7jtzrcazrra7wwgzxqc8u7754cdlpfrmccae92qgzqvzq2ps8pqqqqqqpqqqqq9qqqvpeuqafqxu92d8lr6fvg0r5gv0heeeqgcrqlnm6jhphu9y00rrhy4grqszsvpcgpy9qqqqqqgqqqqq7qqzq9qrsgqdfjcdk6w3ak5pca9hwfwfh63zrrz06wwfya0ydlzpgzxkn5xagsqz7x9j4jwe7yj7vaf2k9lqsdk45kts2fd0fkr28am0u4w95tt2nsq76cqw0"
P2SH = "lnbc20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygshp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqfppj3a24vwu6r8ejrss3axul8rxldph2q7z99qrsgqz6qsgww34xlatfj6e3sngrwfy3ytkt29d2qttr8qz2mnedfqysuqypgqex4haa2h8fx3wnypranf3pdwyluftwe680jjcfp438u82xqphf75ym"
P2WPKH = "lnbc20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygshp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqfppqw508d6qejxtdg4y5r3zarvary0c5xw7k9qrsgqt29a0wturnys2hhxpner2e3plp6jyj8qx7548zr2z7ptgjjc7hljm98xhjym0dg52sdrvqamxdezkmqg4gdrvwwnf0kv2jdfnl4xatsqmrnsse"
P2WSH = "lnbc20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygshp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqfp4qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q9qrsgq9vlvyj8cqvq6ggvpwd53jncp9nwc47xlrsnenq2zp70fq83qlgesn4u3uyf4tesfkkwwfg3qs54qe426hp3tz7z6sweqdjg05axsrjqp9yrrwc"
P2TR = "lnbc20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqsfp4pptdvg0d2nj99568qn6ssdy4cygnwuxgw2ukmnwgwz7jpqjz2kszs9qrsgqy606dznq28exnydt2r4c29y56xjtn3sk4mhgjtl4pg2y4ar3249rq4ajlmj9jy8zvlzw7cr8mggqzm842xfr0v72rswzq9xvr4hknfsqwmn6xd"
PICO = "lnbc9678785340p1pwmna7lpp5gc3xfm08u9qy06djf8dfflhugl6p7lgza6dsjxq454gxhj9t7a0sd8dgfkx7cmtwd68yetpd5s9xar0wfjn5gpc8qhrsdfq24f5ggrxdaezqsnvda3kkum5wfjkzmfqf3jkgem9wgsyuctwdus9xgrcyqcjcgpzgfskx6eqf9hzqnteypzxz7fzypfhg6trddjhygrcyqezcgpzfysywmm5ypxxjemgw3hxjmn8yptk7untd9hxwg3q2d6xjcmtv4ezq7pqxgsxzmnyyqcjqmt0wfjjq6t5v4khxsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygsxqyjw5qcqp2rzjq0gxwkzc8w6323m55m4jyxcjwmy7stt9hwkwe2qxmy8zpsgg7jcuwz87fcqqeuqqqyqqqqlgqqqqn3qq9q9qrsgqrvgkpnmps664wgkp43l22qsgdw4ve24aca4nymnxddlnp8vh9v2sdxlu5ywdxefsfvm0fq3sesf08uf6q9a2ke0hc9j6z6wlxg5z5kqpu2v9wz"
BEANS = "lnbc25m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5vdhkven9v5sxyetpdeessp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9q5sqqqqqqqqqqqqqqqqsgq2a25dxl5hrntdtn6zvydt7d66hyzsyhqs4wdynavys42xgl6sgx9c4g7me86a27t07mdtfry458rtjr0v92cnmswpsjscgt2vcse3sgpz3uapa"
UPPER_CASE = "LNBC25M1PVJLUEZPP5QQQSYQCYQ5RQWZQFQQQSYQCYQ5RQWZQFQQQSYQCYQ5RQWZQFQYPQDQ5VDHKVEN9V5SXYETPDEESSP5ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYG3ZYGS9Q5SQQQQQQQQQQQQQQQQSGQ2A25DXL5HRNTDTN6ZVYDT7D66HYZSYHQS4WDYNAVYS42XGL6SGX9C4G7ME86A27T07MDTFRY458RTJR0V92CNMSWPSJSCGT2VCSE3SGPZ3UAPA"
IGNORED_FIELDS = "lnbc25m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5vdhkven9v5sxyetpdeessp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9q5sqqqqqqqqqqqqqqqqsgq2qrqqqfppnqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqppnqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqpp4qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqhpnqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqhp4qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqspnqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqsp4qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqnp5qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqnpkqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqz599y53s3ujmcfjp5xrdap68qxymkqphwsexhmhr8wdz5usdzkzrse33chw6dlp3jhuhge9ley7j2ayx36kawe7kmgg8sv5ugdyusdcqzn8z9x"
METADATA = "lnbc10m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdp9wpshjmt9de6zqmt9w3skgct5vysxjmnnd9jx2mq8q8a04uqsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9q2gqqqqqqsgq7hf8he7ecf7n4ffphs6awl9t6676rrclv9ckg3d3ncn7fct63p6s365duk5wrk202cfy3aj5xnnp5gs3vrdvruverwwq7yzhkf5a3xqpd05wjc"
HIGH_S = "lnbc1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaq9qrsgq357wnc5r2ueh7ck6q93dj32dlqnls087fxdwk8qakdyafkq3yap2r09nt4ndd0unm3z9u5t48y6ucv4r5sg7lk98c77ctvjczkspk5qprc90gx"

READABLE = [
    # text, network, amount_msat, timestamp, hash, description, description_hash, expiry_s, cltv, features
    (DONATION, "bc", None, 1496314658, HASH, "Please consider supporting this project", None, 3600, 18, FEATURES_DEFAULT),
    (COFFEE, "bc", 250_000_000, 1496314658, HASH, "1 cup coffee", None, 60, 18, FEATURES_DEFAULT),
    (NONSENSE, "bc", 250_000_000, 1496314658, HASH, "ナンセンス 1杯", None, 60, 18, FEATURES_DEFAULT),
    (CAKE, "bc", 2_000_000_000, 1496314658, HASH, None, CAKE_HASH, 3600, 18, FEATURES_DEFAULT),
    (TESTNET, "tb", 2_000_000_000, 1496314658, HASH, None, CAKE_HASH, 3600, 18, FEATURES_DEFAULT),
    (ROUTE_HINTS, "bc", 2_000_000_000, 1496314658, HASH, None, CAKE_HASH, 3600, 18, FEATURES_DEFAULT),
    (P2SH, "bc", 2_000_000_000, 1496314658, HASH, None, CAKE_HASH, 3600, 18, FEATURES_DEFAULT),
    (P2WPKH, "bc", 2_000_000_000, 1496314658, HASH, None, CAKE_HASH, 3600, 18, FEATURES_DEFAULT),
    (P2WSH, "bc", 2_000_000_000, 1496314658, HASH, None, CAKE_HASH, 3600, 18, FEATURES_DEFAULT),
    (P2TR, "bc", 2_000_000_000, 1496314658, HASH, None, CAKE_HASH, 3600, 18, FEATURES_DEFAULT),
    (PICO, "bc", 967_878_534, 1572468703, PICO_HASH, PICO_DESCRIPTION, None, 604800, 10, FEATURES_DEFAULT),
    (BEANS, "bc", 2_500_000_000, 1496314658, HASH, "coffee beans", None, 3600, 18, FEATURES_99),
    (UPPER_CASE, "bc", 2_500_000_000, 1496314658, HASH, "coffee beans", None, 3600, 18, FEATURES_99),
    (IGNORED_FIELDS, "bc", 2_500_000_000, 1496314658, HASH, "coffee beans", None, 3600, 18, FEATURES_99),
    (METADATA, "bc", 1_000_000_000, 1496314658, HASH, "payment metadata inside", None, 3600, 18, bytes.fromhex("01000000004100")),
]  # fmt: skip

REFUSED = [
    pytest.param(
        "lnbc25m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5vdhkven9v5sxyetpdeessp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9q4psqqqqqqqqqqqqqqqqsgqtqyx5vggfcsll4wu246hz02kp85x4katwsk9639we5n5yngc3yhqkm35jnjw4len8vrnqnf5ejh0mzj9n3vz2px97evektfm2l6wqccp3y7372",
        InvoiceFault.FEATURES,
        id="unknown compulsory feature 100",
    ),
    pytest.param(
        "lnbc2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpquwpc4curk03c9wlrswe78q4eyqc7d8d0xqzpuyk0sg5g70me25alkluzd2x62aysf2pyy8edtjeevuv4p2d5p76r4zkmneet7uvyakky2zr4cusd45tftc9c5fh0nnqpnl2jfll544esqchsrnt",
        InvoiceFault.CHECKSUM,
        id="invalid checksum",
    ),
    pytest.param(
        "pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpquwpc4curk03c9wlrswe78q4eyqc7d8d0xqzpuyk0sg5g70me25alkluzd2x62aysf2pyy8edtjeevuv4p2d5p76r4zkmneet7uvyakky2zr4cusd45tftc9c5fh0nnqpnl2jfll544esqchsrny",
        InvoiceFault.BECH32,
        id="no separator",
    ),
    pytest.param(
        "LNBC2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpquwpc4curk03c9wlrswe78q4eyqc7d8d0xqzpuyk0sg5g70me25alkluzd2x62aysf2pyy8edtjeevuv4p2d5p76r4zkmneet7uvyakky2zr4cusd45tftc9c5fh0nnqpnl2jfll544esqchsrny",
        InvoiceFault.BECH32,
        id="mixed case",
    ),
    pytest.param(
        "lnbc2500u1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpusp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9qrsgqwgt7mcn5yqw3yx0w94pswkpq6j9uh6xfqqqtsk4tnarugeektd4hg5975x9am52rz4qskukxdmjemg92vvqz8nvmsye63r5ykel43pgz7zq0g2",
        InvoiceFault.SIGNATURE,
        id="signature not recoverable",
    ),
    pytest.param(
        "lnbc1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6na6hlh",
        InvoiceFault.TOO_SHORT,
        id="too short",
    ),
    pytest.param(
        "lnbc2500x1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpusp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9qrsgqrrzc4cvfue4zp3hggxp47ag7xnrlr8vgcmkjxk3j5jqethnumgkpqp23z9jclu3v0a7e0aruz366e9wqdykw6dxhdzcjjhldxq0w6wgqcnu43j",
        InvoiceFault.AMOUNT,
        id="unknown multiplier",
    ),
    pytest.param(
        "lnbc2500000001p1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdq5xysxxatsyp3k7enxv4jsxqzpusp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9qrsgq0lzc236j96a95uv0m3umg28gclm5lqxtqqwk32uuk4k6673k6n5kfvx3d2h8s295fad45fdhmusm8sjudfhlf6dcsxmfvkeywmjdkxcp99202x",
        InvoiceFault.AMOUNT,
        id="fraction of a msat",
    ),
    pytest.param(
        "lnbc20m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqs9qrsgq7ea976txfraylvgzuxs8kgcw23ezlrszfnh8r6qtfpr6cxga50aj6txm9rxrydzd06dfeawfk6swupvz4erwnyutnjq7x39ymw6j38gp49qdkj",
        InvoiceFault.PAYMENT_SECRET,
        id="no payment secret",
    ),
    pytest.param(
        "lnbc25m1p70xwfzpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqdpl2pkx2ctnv5sxxmmwwd5kgetjypeh2ursdae8g6twvus8g6rfwvs8qun0dfjkxaqnp4q0n326hr8v9zprg8gsvezcch06gfaqqhde2aj730yg0durunfhv66sp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygs9qrsgqsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygsp5cfzp9ugllvk03rltd6hvndxj26ux6gcxc5azyxk060rj9tzghct5zvjlps76gx8wpq5yuu79688k8gnm2c0al6v608s96l0xzrrlqqwnzxmu",
        InvoiceFault.SIGNATURE,
        id="high S beside a named payee",
    ),
]


@pytest.mark.parametrize("example", READABLE, ids=lambda example: str(example[0])[-6:])
def test_every_published_invoice_says_what_its_breakdown_says(
    example: tuple[str, str, int | None, int, str, str | None, str | None, int, int, bytes],
) -> None:
    """Network, amount, times, hashes, description, features and payee are those of the BOLT."""
    (
        text,
        network,
        amount_msat,
        timestamp,
        payment_hash,
        description,
        description_hash,
        expiry_s,
        cltv,
        features,
    ) = example
    invoice = decode(text)
    assert invoice.network == network
    assert invoice.amount_msat == amount_msat
    assert invoice.timestamp == timestamp
    assert invoice.payment_hash == payment_hash
    assert invoice.payment_secret == SECRET
    assert invoice.description == description
    assert invoice.description_hash == description_hash
    assert (invoice.expiry_s, invoice.expires_at) == (expiry_s, timestamp + expiry_s)
    assert invoice.min_final_cltv == cltv
    assert invoice.features == features
    assert invoice.payee == NODE


@pytest.mark.parametrize(("text", "fault"), REFUSED)
def test_every_published_invalid_invoice_is_refused_for_its_own_reason(text: str, fault: InvoiceFault) -> None:
    """The BOLT's invalid examples each break one rule, and that rule is the one named."""
    with pytest.raises(InvoiceRefused) as caught:
        decode(text)
    assert caught.value.reason == fault


def test_a_high_s_signature_is_read_by_recovery_when_no_payee_is_named() -> None:
    """The published high-S example recovers a key, which is not the low-S signer's."""
    invoice = decode(HIGH_S)
    assert invoice.signature[32:64].hex() == "a1bcb35d66d6bf93dc445e51753935cc32a3a411efd8a7c7bd85b25815a01b50"
    assert invoice.payee.startswith("02")
    assert invoice.payee != NODE


def test_fallbacks_and_route_hints_stay_as_they_were_written() -> None:
    """They come out as the bech32 characters of the breakdown."""
    invoice = decode(ROUTE_HINTS)
    assert invoice.fallbacks == ("3qjmp7lwpagxun9pygexvgpjdc4jdj85f",)
    assert invoice.route_hints == (
        "q20q82gphp2nflc7jtzrcazrra7wwgzxqc8u7754cdlpfrmccae92qgzqvzq2ps8pqqqqqqpqqqqq9qqqvpeuqafqxu92d8lr6fvg0r5gv0heeeqgcrqlnm6jhphu9y00rrhy4grqszsvpcgpy9qqqqqqgqqqqq7qqzq",
    )


def test_fields_that_must_be_ignored_are_skipped_and_kept_raw() -> None:
    """Wrong-sized p, h, s and n and the unknown type 2 are set aside, and a version 19 fallback is none."""
    invoice = decode(IGNORED_FIELDS)
    assert [kind for kind, _ in invoice.others] == ["2", "p", "p", "h", "h", "s", "s", "n", "n"]
    assert invoice.fallbacks == ()


def test_payment_metadata_is_kept_raw() -> None:
    """The example's 0x01fafaf0 comes out as the characters it was written with."""
    assert decode(METADATA).others == (("m", "q8a04uq"),)


def test_a_uri_scheme_before_the_invoice_is_tolerated() -> None:
    """`lightning:` is the BOLT's recommended prefix for links, in either case."""
    assert decode("LIGHTNING:" + COFFEE) == decode("lightning:" + COFFEE) == decode(COFFEE)


def test_upper_and_lower_case_read_the_same() -> None:
    """QR codes are upper case; nothing in the value remembers it."""
    assert decode(UPPER_CASE) == decode(BEANS)


@pytest.mark.parametrize("text", [DONATION, COFFEE, NONSENSE, CAKE])
def test_published_invoices_are_written_again_character_for_character(text: str) -> None:
    """Signing is deterministic (RFC 6979), so the same terms and key give the BOLT's own text."""
    invoice = decode(text)
    written = encode(
        network=invoice.network,
        amount_msat=invoice.amount_msat,
        timestamp=invoice.timestamp,
        payment_hash=invoice.payment_hash,
        payment_secret=invoice.payment_secret,
        secret=NODE_SECRET,
        description=invoice.description,
        description_hash=invoice.description_hash,
        expiry_s=None if invoice.expiry_s == 3600 else invoice.expiry_s,
    )
    assert written == text


def test_raw_fields_are_written_again_character_for_character() -> None:
    """Fallback and route hint go out as they came in, in the published order and with its signature."""
    invoice = decode(ROUTE_HINTS)
    written = encode(
        network=invoice.network,
        amount_msat=invoice.amount_msat,
        timestamp=invoice.timestamp,
        payment_hash=invoice.payment_hash,
        payment_secret=invoice.payment_secret,
        secret=NODE_SECRET,
        description_hash=invoice.description_hash,
        raw_fields=(("f", invoice.fallbacks[0]), ("r", invoice.route_hints[0])),
    )
    assert written == ROUTE_HINTS


hex32 = st.binary(min_size=32, max_size=32).map(bytes.hex)
node_secrets = st.integers(1, 2**200).map(lambda number: number.to_bytes(32))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    network=st.sampled_from(Network),
    amount_msat=st.none() | st.integers(1, AMOUNT_MSAT_MAX),
    timestamp=st.integers(0, NUMBER_MAX),
    payment_hash=hex32,
    payment_secret=hex32,
    secret=node_secrets,
    description=st.text(max_size=150),
    expiry_s=st.integers(0, NUMBER_MAX),
    min_final_cltv=st.integers(0, 5000),
)
def test_what_is_written_is_read_back(
    network: Network,
    amount_msat: int | None,
    timestamp: int,
    payment_hash: str,
    payment_secret: str,
    secret: bytes,
    description: str,
    expiry_s: int,
    min_final_cltv: int,
) -> None:
    """Every term survives encode and decode, and the payee read is the key that signed."""
    invoice = decode(
        encode(
            network=network,
            amount_msat=amount_msat,
            timestamp=timestamp,
            payment_hash=payment_hash,
            payment_secret=payment_secret,
            secret=secret,
            description=description,
            expiry_s=expiry_s,
            min_final_cltv=min_final_cltv,
        )
    )
    assert (invoice.network, invoice.amount_msat, invoice.timestamp) == (network, amount_msat, timestamp)
    assert (invoice.payment_hash, invoice.payment_secret) == (payment_hash, payment_secret)
    assert (invoice.description, invoice.description_hash) == (description, None)
    assert (invoice.expiry_s, invoice.min_final_cltv) == (expiry_s, min_final_cltv)
    assert invoice.payee == _public(secret)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(place=st.integers(0, len(COFFEE) - 1), char=st.sampled_from("qpzry9x8gf2tvdw0s3jn54khce6mua7l1bio"))
def test_no_single_changed_character_passes(place: int, char: str) -> None:
    """The checksum finds any one substitution, wherever it is."""
    changed = COFFEE[:place] + char + COFFEE[place + 1 :]
    if changed != COFFEE:
        with pytest.raises(InvoiceRefused):
            decode(changed)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(text=st.text(max_size=200) | st.text(max_size=200).map(lambda tail: "lnbc1" + tail))
def test_any_other_text_is_refused_and_never_breaks_the_reader(text: str) -> None:
    """Only `InvoiceRefused` comes out of text that is no invoice."""
    with pytest.raises(InvoiceRefused):
        decode(text)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(kinds=st.text("psdnhxcfr9mq", max_size=4), filler=st.text("qpzry9x8gf2tvdw0s3jn54khce6mua7l", max_size=60))
def test_odd_fields_in_a_well_signed_invoice_are_read_or_refused(kinds: str, filler: str) -> None:
    """A stranger may sign anything: the reader answers with an invoice or a refusal."""
    text = _an_invoice(raw_fields=tuple((kind, filler) for kind in kinds))
    try:
        decode(text)
    except InvoiceRefused as refused:
        assert refused.reason in set(InvoiceFault)  # noqa: PT017 - both ends are right


@pytest.mark.parametrize(
    ("amount_msat", "prefix"),
    [
        (1, "lnbcrt10p1"),
        (5_500, "lnbcrt55n1"),
        (5_501, "lnbcrt55010p1"),
        (100, "lnbcrt1n1"),
        (250_000_000, "lnbcrt2500u1"),
        (2_500_000_000, "lnbcrt25m1"),
        (100_000_000_000, "lnbcrt11"),
        (None, "lnbcrt1"),
    ],
)
def test_an_amount_takes_its_shortest_form_and_is_exact_to_the_msat(amount_msat: int | None, prefix: str) -> None:
    """The largest multiplier that loses nothing is written."""
    text = _an_invoice(amount_msat=amount_msat)
    assert text.startswith(prefix)
    assert decode(text).amount_msat == amount_msat


@pytest.mark.parametrize("amount_msat", [0, -1, AMOUNT_MSAT_MAX + 1])
def test_no_invoice_is_written_for_nothing_or_for_more_than_there_is(amount_msat: int) -> None:
    """An invoice of zero would be payable with anything."""
    assert _fault_of_writing(amount_msat=amount_msat) == InvoiceFault.AMOUNT


@pytest.mark.parametrize("amount", ["0", "025m", "0u", "5p", "15", "1 m", "2.5m", "-1m", "99999999", "m"])
def test_no_amount_is_read_that_no_writer_may_write(amount: str) -> None:
    """Leading zeroes, zero, fractions of a msat, signs and impossible sums are refused."""
    expected = None if amount == "15" else InvoiceFault.AMOUNT
    fault = _fault_of_reading(_resigned(f"lnbcrt{amount}"))
    assert fault == (InvoiceFault.NETWORK if amount == "m" else expected)


@pytest.mark.parametrize("prefix", ["lnxx25m", "ln25m", "lnbcrtx25m", "bc25m", "ln", "lntbz"])
def test_another_currency_is_refused(prefix: str) -> None:
    """Only the four bitcoin networks are understood."""
    assert _fault_of_reading(_resigned(prefix)) == InvoiceFault.NETWORK


def test_a_named_payee_that_signed_is_accepted_whatever_the_recovery_id() -> None:
    """With an `n` field the signature is verified, so a wrong recovery id does no harm."""
    text = _an_invoice(raw_fields=(("n", _chars(bytes.fromhex(_public(NODE_SECRET)))),))
    assert decode(text).payee == NODE
    for recovery_id in "qpzr":  # the signature's last character, before the six of the checksum
        assert decode(_checked(text[:-7] + recovery_id + text[-6:])).payee == NODE


def test_only_its_high_s_makes_the_published_high_s_invoice_with_a_named_payee_invalid() -> None:
    """With S mirrored at the order of the curve the same invoice is good, so nothing else was amiss."""
    published = str(REFUSED[-1].values[0])
    bits = "".join(f"{_CHARSET.index(char):05b}" for char in published[-110:-6])
    signature = int(bits, 2).to_bytes(65)
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    low = signature[:32] + (order - int.from_bytes(signature[32:64])).to_bytes(32) + signature[64:]
    assert decode(_checked(published[:-110] + _chars(low) + "qqqqqq")).payee == NODE


def test_a_named_payee_that_did_not_sign_is_refused() -> None:
    """Anybody could claim another node's name."""
    stranger = _public(b"\x07" * 32)
    text = _an_invoice(raw_fields=(("n", _chars(bytes.fromhex(stranger))),))
    assert _fault_of_reading(text) == InvoiceFault.SIGNATURE


@pytest.mark.parametrize(
    ("kind", "chars"),
    [("x", "qpu"), ("c", "qz"), ("9", "qsgq"), ("x", "p" * 8), ("m", "")],
)
def test_numbers_with_leading_zeroes_or_out_of_range_are_refused(kind: str, chars: str) -> None:
    """The BOLT asks for minimal lengths; an empty metadata field is merely kept."""
    fault = _fault_of_reading(_an_invoice(features=b"", raw_fields=((kind, chars),)))
    assert fault == (None if kind == "m" else InvoiceFault.FIELD)


def test_a_field_that_runs_past_the_data_is_refused() -> None:
    """A length is not believed beyond what is there."""
    assert _fault_of_reading(_resigned("lnbcrt", fields="qllqqqqq")) == InvoiceFault.FIELD
    assert _fault_of_reading(_resigned("lnbcrt", fields="qp")) == InvoiceFault.FIELD


def test_a_description_and_its_hash_exclude_each_other() -> None:
    """Both, or neither, leaves open what was bought."""
    with_both = _an_invoice(raw_fields=(("h", "q" * 52),))
    assert _fault_of_reading(with_both) == InvoiceFault.DESCRIPTION
    assert _fault_of_reading(_resigned("lnbcrt", fields=_P + _S)) == InvoiceFault.DESCRIPTION
    assert _fault_of_writing(description=None) == InvoiceFault.DESCRIPTION
    assert _fault_of_writing(description_hash="00" * 32) == InvoiceFault.DESCRIPTION


def test_a_description_is_utf8_of_at_most_639_bytes() -> None:
    """Other bytes are refused on reading, longer text on writing."""
    assert _fault_of_reading(_resigned("lnbcrt", fields=_P + _S + "dqzlu")) == InvoiceFault.DESCRIPTION
    assert decode(_an_invoice(description="é" * 319)).description == "é" * 319
    assert _fault_of_writing(description="é" * 320) == InvoiceFault.FIELD


def test_bits_left_over_in_a_field_are_zeroes() -> None:
    """A payment hash has one spelling."""
    assert _fault_of_reading(_resigned("lnbcrt", fields=_P[:-1] + "l" + _S + "dqq")) == InvoiceFault.FIELD


def test_a_missing_payment_hash_is_named() -> None:
    """Without it nothing can be proven paid."""
    assert _fault_of_reading(_resigned("lnbcrt", fields=_S + "dqq")) == InvoiceFault.PAYMENT_HASH


def test_the_first_of_a_repeated_field_counts() -> None:
    """Fields are in order of preference, and payers use the first payment hash."""
    assert decode(_an_invoice(raw_fields=(("p", "l" * 51 + "s"),))).payment_hash == HASH


def test_a_text_too_long_to_be_an_invoice_is_refused_before_any_work() -> None:
    """The cap comes first, so a megabyte costs nothing."""
    assert _fault_of_reading("lnbc1" + "q" * TEXT_CHARS_MAX) == InvoiceFault.TOO_LONG


def test_letters_that_only_look_ascii_when_lowered_are_refused() -> None:
    """The Kelvin sign becomes a k in lower case; BIP-173 knows ASCII only."""
    assert "K" in UPPER_CASE
    assert _fault_of_reading(UPPER_CASE.replace("K", "\u212a")) == InvoiceFault.BECH32


def test_a_refusal_never_prints_the_whole_text() -> None:
    """Errors go to logs, and a stranger chooses the text."""
    with pytest.raises(InvoiceRefused) as caught:
        decode("x" * 5000 + COFFEE)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "term", [{"payment_hash": "00"}, {"payment_secret": "zz" * 32}, {"expiry_s": -1}, {"timestamp": 2**35}]
)
def test_terms_that_do_not_fit_the_format_are_refused(term: dict[str, object]) -> None:
    """A writer never guesses."""
    assert _fault_of_writing(**term) == InvoiceFault.FIELD


# Builders. The reader's own bech32 is not used to make broken invoices, so a fault in it cannot hide.

_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def _chars(data: bytes) -> str:
    bits = "".join(f"{byte:08b}" for byte in data)
    bits += "0" * (-len(bits) % 5)
    return "".join(_CHARSET[int(bits[place : place + 5], 2)] for place in range(0, len(bits), 5))


_P = "pp5" + _chars(bytes.fromhex(HASH))
_S = "sp5" + _chars(bytes.fromhex(SECRET))


def _checked(text: str) -> str:
    """Replace the last six characters by the right checksum."""
    prefix, _, data = text[:-6].rpartition("1")
    values = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    values += [_CHARSET.index(char) for char in data] + [0] * 6
    state = 1
    for value in values:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            state ^= generator if top >> bit & 1 else 0
    return text[:-6] + "".join(_CHARSET[(state ^ 1) >> shift & 31] for shift in range(25, -1, -5))


def _resigned(prefix: str, fields: str = _P + _S + "dqq") -> str:
    """Give an invoice of any prefix and fields, whose signature recovers some key and whose checksum holds."""
    signature = sign_recoverable(NODE_SECRET, b"\x05" * 32)
    return _checked(f"{prefix}1pvjluez{fields}{_chars(signature)}qqqqqq")


def _an_invoice(**terms: object) -> str:
    defaults: dict[str, object] = {
        "network": Network.REGTEST,
        "amount_msat": 21_000,
        "timestamp": 1_700_000_000,
        "payment_hash": HASH,
        "payment_secret": SECRET,
        "secret": NODE_SECRET,
        "description": "coffee",
    }
    return encode(**(defaults | terms))  # type: ignore[arg-type]


def _public(secret: bytes) -> str:
    digest = b"\x01" * 32
    return recover(digest, sign_recoverable(secret, digest)).hex()


def _fault_of_reading(text: str) -> InvoiceFault | None:
    try:
        decode(text)
    except InvoiceRefused as refused:
        return refused.reason
    return None


def _fault_of_writing(**terms: object) -> InvoiceFault | None:
    try:
        _an_invoice(**terms)
    except InvoiceRefused as refused:
        return refused.reason
    return None
