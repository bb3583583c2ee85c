"""A small instance of everything the contract suite runs on; a part adds a line in its family."""

import cases_agreement
import cases_closed
import cases_combined
import cases_contrastive
import cases_embedders
import cases_encoders
import cases_latent
import cases_masked
import cases_networks
import cases_pretext
import cases_transformer

ENCODER_CASES = (
    cases_encoders.CASES | cases_networks.CASES | cases_transformer.CASES | cases_embedders.CASES
)
CLOSED_FORM_CASES = cases_closed.CASES
GRADIENT_CASES = (
    cases_contrastive.CASES
    | cases_agreement.CASES
    | cases_masked.CASES
    | cases_latent.CASES
    | cases_pretext.CASES
    | cases_combined.CASES
)
