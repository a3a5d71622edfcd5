// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// The profiles that come with the product, each asked what its client needs (config/profiles).

#include <gtest/gtest.h>

#include <filesystem>

#include "app/charge_table.hh"

namespace tollgate::app {
namespace {

void expect(std::string_view lines) {
  ChargeTable table;
  EXPECT_EQ(table.run("tariff config/tariffs\n" + std::string(lines)), "");
}

ProfileTable shipped() {
  ProfileTable table;
  EXPECT_EQ(read_profiles(std::string(SOURCE_ROOT) + "/config/profiles", table), "");
  return table;
}

TEST(Profile, clients_are_recognised) {
  ProfileTable table = shipped();
  EXPECT_EQ(table.choose("pcrf.example", "").name, "default");
  EXPECT_EQ(table.choose("pcrf.example", "freeDiameter").name, "default");
  EXPECT_EQ(table.choose("SMF.localdomain", "freeDiameter").name, "open5gs");
  EXPECT_EQ(table.choose("scscf.example", "CDiameterPeer").name, "kamailio");
  EXPECT_EQ(table.choose("feg.example", "Magma-v1").name, "magma");
  table.assign("feg*", "siphon");
  EXPECT_EQ(table.choose("feg.example", "magma").name, "siphon");
  EXPECT_EQ(table.choose("fe.example", "magma").name, "magma");
  EXPECT_EQ(table.find("nonesuch"), nullptr);
}

TEST(Profile, the_file_of_the_default_says_what_is_built_in) {
  const ProfileTable table = shipped();
  const Profile built_in;
  const Profile& read = table.fallback();
  EXPECT_EQ(table.all().front().name, "default");
  EXPECT_EQ(read.free_service, built_in.free_service);
  EXPECT_EQ(read.final_units, built_in.final_units);
  EXPECT_EQ(read.denies_whole, built_in.denies_whole);
  EXPECT_EQ(read.takes_re_auth, built_in.takes_re_auth);
  EXPECT_EQ(read.takes_abort, built_in.takes_abort);
  EXPECT_EQ(read.session_failover, built_in.session_failover);
  EXPECT_EQ(read.failure_handling, built_in.failure_handling);
  EXPECT_EQ(read.omitted, built_in.omitted);
  EXPECT_EQ(read.default_rating_group, built_in.default_rating_group);
}

TEST(Profile, mistakes_are_told_with_their_place) {
  const auto file = std::filesystem::temp_directory_path() / "tollgate-profile-test.toml";
  FILE* out = std::fopen(file.c_str(), "w");
  ASSERT_NE(out, nullptr);
  std::fputs(
      "[profile]\nfree_service = \"perhaps\"\nleave_out = [\"Nonesuch\"]\nfinal_unit = \"all\"\n",
      out);
  std::fclose(out);
  Profile profile;
  const std::string wrong = read_profile(file.string(), profile);
  EXPECT_NE(wrong.find(":2:"), std::string::npos) << wrong;
  EXPECT_NE(wrong.find("'perhaps' is not one of grant, 4011"), std::string::npos) << wrong;
  EXPECT_NE(wrong.find(":3:"), std::string::npos) << wrong;
  EXPECT_NE(wrong.find("no key 'final_unit'"), std::string::npos) << wrong;
  std::filesystem::remove(file);
}

// One MSCC without Rating-Group, DIRECT_DEBITING and AoC in all of them; 4011 would end the attach.
TEST(Profile, open5gs) {
  expect(R"(
    profile open5gs
    show validity
    account A plan prepaid balance 0.10EUR
    initial S1 A data aoc mscc ask 1000000octets \
        -> 2001 grant 1000000octets validity 600s
    update S1 aoc mscc used 900s in 500000octets out 500000octets ask 1000000octets \
        -> 2001 grant 24000octets final terminate validity 600s
    terminate S1 aoc mscc used 1s out 24000octets -> 2001
    balance A EUR                                -> free 0.00 held 0.00 used 0.10
    initial S2 A data mscc ask 1000000octets     -> 2001 4012
    terminate S2 mscc                            -> 2001
  )");
}

TEST(Profile, open5gs_goes_on_where_it_costs_nothing) {
  ChargeTable table;
  table.rig().load_tariff_text(R"(
plan flat { currency EUR; service data { default group 1; rule group 1 free } }
)");
  EXPECT_EQ(table.run(R"(
    profile open5gs
    account A plan flat
    initial S1 A data mscc ask 1000000octets     -> 2001 grant 102400MiB
    profile siphon
    initial S2 A data mscc ask 1000000octets     -> 2001 4011
    cdr S2                                       -> none
    update S2 mscc ask any                       -> 5002
    initial S3 A data ask 1000000octets          -> 4011
    profile default
    initial S4 A data mscc ask 1000000octets     -> 2001 grant 1000000octets
  )"),
            "");
}

// Of an interim answer it reads the Result-Code of the whole only.
TEST(Profile, kamailio) {
  expect(R"(
    profile kamailio
    show validity
    account A plan prepaid balance 0.11EUR
    initial C1 A voice rg 1 si 1 ask 30s         -> 2001 grant 30s validity 600s
    update C1 rg 1 si 1 used 30s ask 60s \
        -> 2001 grant 36s final terminate validity 600s
    update C1 rg 1 si 1 used 37s ask 30s \
        -> 2001 grant 5s final terminate validity 600s
    update C1 rg 1 si 1 used 5s ask 30s          -> 4012
    terminate C1 rg 1 si 1                       -> 2001
    balance A EUR                                -> free -0.01 held 0.00 used 0.12
    initial C2 A voice rg 1 si 1 ask 30s         -> 4012
    terminate C2 rg 1 si 1                       -> 5002
    initial C3 Nobody voice rg 1 si 1 ask 30s    -> 5030
  )");
}

// Input, output and total together; perhaps no MSCC at the beginning.
TEST(Profile, magma) {
  expect(R"(
    profile magma
    account A plan prepaid balance 1.00EUR
    initial S1 A data                            -> 2001
    update S1 rg 10 si 1 ask any                 -> 2001 grant 10000KiB final terminate
    update S1 rg 10 si 1 in 100KiB out 100KiB used 200KiB ask any \
        -> 2001 grant 9800KiB final terminate
    update S1 rg 30 ask any rg 10 si 1 used 1KiB -> 2001 rg 30 4010 rg 10 si 1
    terminate S1 rg 10 si 1                      -> 2001
    balance A EUR                                -> free 0.97 held 0.00 used 0.03
  )");
}

// Exactly one Rating-Group in each part of the answer, also of those that are denied.
TEST(Profile, ergw) {
  expect(R"(
    profile ergw
    account A plan prepaid balance 1.00EUR
    initial S1 A data rg 10 ask any rg 30 ask any rg 99 ask any \
        -> 2001 rg 10 grant 10000KiB final terminate rg 30 4010 rg 99 5031
    again S1 initial 0                           -> same
    terminate S1 rg 10 used 1KiB                 -> 2001
  )");
}

}  // namespace
}  // namespace tollgate::app
