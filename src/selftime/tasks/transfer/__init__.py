"""Transfer: from a pretrained model and labels to what is asked, frozen or fine-tuned."""
