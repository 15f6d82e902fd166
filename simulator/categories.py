"""What is sold on the sample platforms: categories with their HS code, prices, weights and names of goods."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Category:
    """Prices in US cents and weights in grams, each from lowest to highest; goods in English and Chinese."""

    name: str
    hs_code: str
    price: tuple[int, int]
    weight_g: tuple[int, int]
    goods: tuple[tuple[str, str], ...]
    # What the law of China asks of who trades in it, beside the licence.
    qualification: str = ""


CATEGORIES = (
    Category(
        "consumer electronics",
        "851830",
        (1_500, 24_000),
        (80, 900),
        (("wireless earphones", "无线耳机"), ("Bluetooth speaker", "蓝牙音箱"), ("headset", "头戴式耳机")),
    ),
    Category(
        "mobile accessories",
        "850440",
        (400, 4_500),
        (40, 350),
        (("USB-C charger", "充电器"), ("power adapter", "电源适配器"), ("charging dock", "充电底座")),
    ),
    Category(
        "cosmetics",
        "330499",
        (800, 9_000),
        (50, 400),
        (("face cream", "面霜"), ("lip gloss", "唇彩"), ("sun lotion", "防晒乳")),
        "cosmetics_record",
    ),
    Category(
        "infant formula",
        "190110",
        (1_800, 5_200),
        (700, 1_900),
        (("infant formula stage 1", "婴儿配方奶粉1段"), ("infant formula stage 2", "婴儿配方奶粉2段")),
        "food_trade",
    ),
    Category(
        "dietary supplements",
        "210690",
        (900, 7_500),
        (100, 800),
        (("vitamin tablets", "维生素片"), ("fish oil capsules", "鱼油胶囊"), ("protein powder", "蛋白粉")),
        "food_trade",
    ),
    Category(
        "women's clothing",
        "620443",
        (1_200, 14_000),
        (180, 900),
        (("summer dress", "连衣裙"), ("evening dress", "晚礼服"), ("linen dress", "亚麻连衣裙")),
    ),
    Category(
        "footwear",
        "640411",
        (1_900, 16_000),
        (500, 1_400),
        (("running shoes", "跑步鞋"), ("canvas sneakers", "帆布鞋"), ("hiking shoes", "登山鞋")),
    ),
    Category(
        "handbags",
        "420221",
        (2_500, 95_000),
        (300, 1_200),
        (("leather handbag", "真皮手提包"), ("shoulder bag", "单肩包"), ("tote bag", "托特包")),
    ),
    Category(
        "toys",
        "950300",
        (500, 8_500),
        (120, 1_800),
        (("building blocks", "积木"), ("plush bear", "毛绒熊"), ("model car", "模型车")),
    ),
    Category(
        "kitchenware",
        "732393",
        (900, 12_000),
        (250, 3_200),
        (("frying pan", "平底锅"), ("thermos flask", "保温杯"), ("steamer", "蒸锅")),
    ),
    Category(
        "home textiles",
        "630231",
        (1_100, 11_000),
        (400, 2_600),
        (("cotton bed sheet", "纯棉床单"), ("pillow case", "枕套"), ("duvet cover", "被套")),
    ),
    Category(
        "watches",
        "910211",
        (2_200, 180_000),
        (90, 450),
        (("quartz watch", "石英表"), ("automatic watch", "自动机械表"), ("sports watch", "运动手表")),
    ),
    Category(
        "sports equipment",
        "950691",
        (1_000, 22_000),
        (300, 6_500),
        (("yoga mat", "瑜伽垫"), ("resistance bands", "弹力带"), ("dumbbell set", "哑铃套装")),
    ),
    Category(
        "lighting",
        "940542",
        (700, 9_500),
        (150, 2_400),
        (("LED desk lamp", "LED台灯"), ("string lights", "串灯"), ("night light", "小夜灯")),
    ),
)
