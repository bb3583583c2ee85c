"""A small instance of everything the contract suite runs on; a part adds a line in its family."""

import cases_agreement
import cases_contrastive
import cases_encoders
import cases_latent
import cases_masked
import cases_networks
import cases_pretext
import cases_transformer
from cases_encoders import spectral
from kinds import ClosedFormCase

ENCODER_CASES = cases_encoders.CASES | cases_networks.CASES | cases_transformer.CASES
CLOSED_FORM_CASES = {"spectral": ClosedFormCase(spectral)}
GRADIENT_CASES = (
    cases_contrastive.CASES
    | cases_agreement.CASES
    | cases_masked.CASES
    | cases_latent.CASES
    | cases_pretext.CASES
)
