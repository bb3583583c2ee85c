"""Objectives by name: one file per method."""

from selftime.objectives.arrow_of_time import ArrowOfTime
from selftime.objectives.barlow_twins import BarlowTwins
from selftime.objectives.base import ClosedForm, Objective
from selftime.objectives.bert import BERT
from selftime.objectives.byol import BYOL
from selftime.objectives.cpc import CPC
from selftime.objectives.data2vec import Data2Vec
from selftime.objectives.dino import DINO
from selftime.objectives.forecast import Forecast
from selftime.objectives.jepa import JEPA
from selftime.objectives.mae import MAE
from selftime.objectives.masked_patches import MaskedPatches
from selftime.objectives.masked_values import MaskedValues
from selftime.objectives.moco import MoCo
from selftime.objectives.neighbours import Neighbours
from selftime.objectives.next_step import NextStep
from selftime.objectives.right_order import RightOrder
from selftime.objectives.segment_order import SegmentOrder
from selftime.objectives.simclr import SimCLR
from selftime.objectives.simmtm import SimMTM
from selftime.objectives.simsiam import SimSiam
from selftime.objectives.spectral import Spectral
from selftime.objectives.tf_c import TFC
from selftime.objectives.timemae import TimeMAE
from selftime.objectives.tnc import TNC
from selftime.objectives.transformation import Transformation
from selftime.objectives.ts2vec import TS2Vec
from selftime.objectives.ts_tcc import TSTCC
from selftime.objectives.vicreg import VICReg

OBJECTIVES: dict[str, type[ClosedForm] | type[Objective]] = {
    "spectral": Spectral,
    "neighbours": Neighbours,
    "ts2vec": TS2Vec,
    "simclr": SimCLR,
    "byol": BYOL,
    "simsiam": SimSiam,
    "barlow_twins": BarlowTwins,
    "vicreg": VICReg,
    "dino": DINO,
    "moco": MoCo,
    "masked_values": MaskedValues,
    "masked_patches": MaskedPatches,
    "mae": MAE,
    "simmtm": SimMTM,
    "timemae": TimeMAE,
    "bert": BERT,
    "jepa": JEPA,
    "data2vec": Data2Vec,
    "cpc": CPC,
    "tnc": TNC,
    "ts_tcc": TSTCC,
    "tf_c": TFC,
    "transformation": Transformation,
    "segment_order": SegmentOrder,
    "right_order": RightOrder,
    "arrow_of_time": ArrowOfTime,
    "next_step": NextStep,
    "forecast": Forecast,
}
"""Objectives by the names people type."""

SPELLINGS = {
    "I-JEPA": "jepa",
    "MoCo v2": "moco",
    "PatchTST": "masked_patches",
    "Slow feature analysis": "neighbours",
    "SFA": "neighbours",
    "Contrastive predictive coding": "cpc",
    "Temporal neighborhood coding": "tnc",
    "TST": "masked_values",
}
"""Published names of methods that are written otherwise here."""
