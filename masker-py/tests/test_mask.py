import unittest

import masker


class MaskTest(unittest.TestCase):
    def test_phone_is_replaced_and_the_rest_stays(self):
        masked = masker.Masker().mask("please call 415-555-0142 today")
        self.assertTrue(masked.startswith("please call MSKV1.PHONE.EPHEMERAL."), masked)
        self.assertTrue(masked.endswith(" today"), masked)
        self.assertNotIn("0142", masked)

    def test_equal_values_share_a_token(self):
        first, second = masker.Masker().mask("415-555-0142 415-555-0142").split(" ")
        self.assertEqual(first, second)

    def test_says_that_the_key_is_random(self):
        self.assertTrue(masker.Masker().is_ephemeral)

    def test_lone_surrogate_is_refused(self):
        with self.assertRaises(UnicodeEncodeError):
            masker.Masker().mask("\ud800")


if __name__ == "__main__":
    unittest.main()
