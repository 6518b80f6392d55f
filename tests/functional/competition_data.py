"""Small made-up data sets in the form of each competition: four training and two test images."""

import csv

import cv2
import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid
from scipy.io import savemat

from pipeline.masks import rle

SHAPE = 40, 50
TRAIN, TEST = ["aa1", "bb2", "cc3", "dd4"], ["ee5", "ff6"]


def grey(number):
    return np.random.default_rng(number).integers(0, 256, SHAPE, dtype=np.uint8)


def colour(number):
    return np.random.default_rng(number).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)


def block(number):
    """Return a mask of 8 x 10 pixels, empty for every fourth image."""
    mask = np.zeros(SHAPE, bool)
    if number % 4 != 3:
        mask[10 + number : 18 + number, 20:30] = True
    return mask


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, pixels)
    elif pixels.dtype == np.uint16:
        cv2.imwrite(str(path), pixels)
    else:
        Image.fromarray(pixels).save(path)


def save_dicom(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = Dataset()
    image.file_meta = meta
    image.SOPClassUID, image.SOPInstanceUID = meta[0x00020002].value, meta[0x00020003].value
    image.Rows, image.Columns = pixels.shape
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit, image.PixelRepresentation = 7, 0
    image.PixelData = pixels.tobytes()
    image.save_as(path, enforce_file_format=True)


def write_csv(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def tgs_salt(folder):
    for number, name in enumerate(TRAIN):
        save(folder / f"train/images/{name}.png", grey(number))
        save(folder / f"train/masks/{name}.png", block(number) * np.uint16(65535))
    for number, name in enumerate(TEST):
        save(folder / f"test/images/{name}.png", grey(9 + number))


def carvana(folder):
    for number in range(4):
        car = f"car{number // 2}_{number % 2 + 1:02}"
        save(folder / f"train/{car}.jpg", colour(number))
        save(folder / f"train_masks/{car}_mask.gif", block(number) * np.uint8(255))
    for number in range(2):
        save(folder / f"test/car9_{number:02}.jpg", colour(9 + number))


def airbus_ships(folder):
    rows = []
    for number, name in enumerate(TRAIN):
        save(folder / f"train_v2/{name}.jpg", colour(number))
        for ship in (block(number), np.roll(block(number), 18, axis=1)) if number < 2 else []:
            rows.append([f"{name}.jpg", rle.encode(ship)])
        if number >= 2:
            rows.append([f"{name}.jpg", ""])
    write_csv(folder / "train_ship_segmentations_v2.csv", ["ImageId", "EncodedPixels"], rows)
    for number, name in enumerate(TEST):
        save(folder / f"test_v2/{name}.jpg", colour(9 + number))


def siim_acr_pneumothorax(folder):
    rows = []
    for number, name in enumerate(TRAIN):
        save_dicom(folder / f"dicom-images-train/study{number}/series/{name}.dcm", grey(number))
        mask = block(number)
        runs = rle.encode(mask, origin=0, relative=True) if mask.any() else "-1"
        rows.append([name, f" {runs}"])
    write_csv(folder / "train-rle.csv", ["ImageId", " EncodedPixels"], rows)
    for number, name in enumerate(TEST):
        save_dicom(folder / f"dicom-images-test/study/series/{name}.dcm", grey(9 + number))


def hubmap_kidney(folder):
    for number, name in enumerate(TRAIN):
        save(folder / f"train/{name}.tiff", colour(number))
    rows = [[name, rle.encode(block(number))] for number, name in enumerate(TRAIN)]
    write_csv(folder / "train.csv", ["id", "encoding"], rows)
    for number, name in enumerate(TEST):
        save(folder / f"test/{name}.tiff", colour(9 + number))


def uw_madison_gi_tract(folder):
    rows = []
    for number in range(4):
        case, day = f"case{number // 2}", f"case{number // 2}_day1"
        name = f"slice_{number % 2 + 1:04}"
        deep = grey(number).astype(np.uint16) * 60
        save(folder / f"train/{case}/{day}/scans/{name}_266_266_1.50_1.50.png", deep)
        for shift, organ in enumerate(("large_bowel", "small_bowel", "stomach")):
            runs = rle.encode(np.roll(block(number), 6 * shift, axis=1))
            rows.append([f"{day}_{name}", organ, runs])
    write_csv(folder / "train.csv", ["id", "class", "segmentation"], rows)
    for number in range(2):
        scans = folder / "test/case9/case9_day2/scans"
        deep = grey(9 + number).astype(np.uint16) * 60
        save(scans / f"slice_{number:04}_266_266_1.50_1.50.png", deep)


def vesuvius_ink(folder):
    for number, name in enumerate(["1", "2", "3", "4"]):
        for layer in (28, 32, 36):
            deep = grey(10 * number + layer).astype(np.uint16) * 257
            save(folder / f"train/{name}/surface_volume/{layer}.tif", deep)
        save(folder / f"train/{name}/inklabels.png", block(number) * np.uint8(255))
    for name in ("a", "b"):
        for layer in (28, 32, 36):
            deep = grey(layer).astype(np.uint16) * 257
            save(folder / f"test/{name}/surface_volume/{layer}.tif", deep)


def contrails(folder):
    for part, names in (("train", TRAIN), ("test", TEST)):
        for number, name in enumerate(names):
            for band in (11, 14, 15):
                stack = np.stack([240 + grey(number + time) / 4 for time in range(8)], axis=-1)
                save(folder / f"{part}/{name}/band_{band}.npy", stack.astype(np.float32))
    for number, name in enumerate(TRAIN):
        mask = block(number).astype(np.int32)[..., None]
        save(folder / f"train/{name}/human_pixel_masks.npy", mask)


def severstal_steel(folder):
    rows = []
    for number, name in enumerate(TRAIN):
        save(folder / f"train_images/{name}.jpg", colour(number))
        if block(number).any():  # images and classes without defects have no row
            rows.append([f"{name}.jpg", number + 1, rle.encode(block(number))])
    write_csv(folder / "train.csv", ["ImageId", "ClassId", "EncodedPixels"], rows)
    for number, name in enumerate(TEST):
        save(folder / f"test_images/{name}.jpg", colour(9 + number))


def data_science_bowl_2018(folder):
    for number, name in enumerate(TRAIN):
        save(folder / f"stage1_train/{name}/images/{name}.png", colour(number))
        for nucleus in range(1, 3):
            mask = np.zeros(SHAPE, np.uint8)
            mask[4 * nucleus + number : 4 * nucleus + 3 + number, 5:9] = 255
            save(folder / f"stage1_train/{name}/masks/{name}{nucleus}.png", mask)
    for number, name in enumerate(TEST):
        save(folder / f"stage1_test/{name}/images/{name}.png", colour(9 + number))


def voc2012(folder):
    for number, name in enumerate([*TRAIN, *TEST]):
        save(folder / f"JPEGImages/{name}.jpg", colour(number))
        labels = np.where(block(number), 15, 0).astype(np.uint8)
        labels[0] = 255  # void
        if name == "dd4":  # of SBD alone
            (folder / "SBD/cls").mkdir(parents=True)
            savemat(folder / f"SBD/cls/{name}.mat", {"GTcls": {"Segmentation": labels}})
            continue
        palette = Image.fromarray(labels, mode="P")
        palette.putpalette(np.random.default_rng(0).integers(0, 256, 768).tolist())
        (folder / "SegmentationClass").mkdir(exist_ok=True)
        palette.save(folder / f"SegmentationClass/{name}.png")
    lists = folder / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("\n".join(TRAIN) + "\n")
    (lists / "val.txt").write_text("\n".join(TEST) + "\n")


def folder(folder):
    for number, name in enumerate(TRAIN):
        save(folder / f"images/{name}.png", grey(number))
        save(folder / f"masks/{name}.png", block(number) * np.uint8(255))
    for number, name in enumerate(TEST):
        save(folder / f"test/{name}.png", grey(9 + number))


def ultrasound_nerve(folder):
    for number in range(4):
        name = f"train/{number // 2 + 1}_{number % 2 + 1}"
        save(folder / f"{name}.tif", grey(number))
        save(folder / f"{name}_mask.tif", block(number) * np.uint8(255))
    for number in (1, 2):
        save(folder / f"test/{number}.tif", grey(9 + number))


def usgra_seg(folder):
    for number, name in enumerate(TRAIN):
        save(folder / f"images/{name}.png", grey(number))
        save(folder / f"masks/{name}.png", block(number)[..., None] * np.uint8([128, 0, 0]))
    for number, name in enumerate(TEST):
        save(folder / f"test/images/{name}.png", grey(9 + number))
        save(folder / f"test/masks/{name}.png", block(number)[..., None] * np.uint8([128, 0, 0]))


MAKERS = {
    "airbus-ships": airbus_ships,
    "carvana": carvana,
    "contrails": contrails,
    "data-science-bowl-2018": data_science_bowl_2018,
    "folder": folder,
    "hubmap-kidney": hubmap_kidney,
    "severstal-steel": severstal_steel,
    "siim-acr-pneumothorax": siim_acr_pneumothorax,
    "tgs-salt": tgs_salt,
    "ultrasound-nerve": ultrasound_nerve,
    "usgra-seg": usgra_seg,
    "uw-madison-gi-tract": uw_madison_gi_tract,
    "vesuvius-ink": vesuvius_ink,
    "voc2012": voc2012,
}
