"""Tests of the selection and of forms."""
