// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "ledger/identity_index.hh"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>
#include <unordered_map>

#include "ledger/ledger_fixture.hh"

namespace tollgate::ledger {
namespace {

IdentityKey key_of(u64 number) {
  return number_key(IdentityType::msisdn, "46" + std::to_string(1'000'000'000 + number));
}
AccountRef account_of(u64 number) {
  return AccountRef{static_cast<u32>(number + 1)};
}

struct Index {
  explicit Index(u64 identities_max)
      : space(IdentityIndex::footprint(identities_max)),
        index(IdentityIndex::format(space.get(), identities_max)) {}
  // Places for entries, five a line.
  u64 capacity() const { return index.line_count() * 5; }

  ZeroMemory space;
  IdentityIndex index;
};

TEST(IdentityIndexTest, AgreesWithAMapUpToNearlyFull) {
  Index one(100);
  IdentityIndex& index = one.index;
  std::mt19937_64 random(1);
  for (const u64 percent : {30, 70, 90, 95}) {
    std::unordered_map<u64, AccountRef> model;
    const u64 keys = one.capacity() * 2;
    u64 no_room = 0;
    for (int i = 0; i < 120'000; ++i) {
      const u64 number = random() % keys;
      const AccountRef expected = model.contains(number) ? model[number] : AccountRef{};
      ASSERT_EQ(index.find(key_of(number)), expected) << percent << " " << i;
      const bool is_full = model.size() * 100 >= one.capacity() * percent;
      if (random() % 2 == 0 && !is_full) {
        const bool is_in = index.insert(key_of(number), account_of(number));
        if (expected.is_none() && !is_in) ++no_room;
        ASSERT_FALSE(is_in && !expected.is_none());
        if (is_in) model[number] = account_of(number);
      } else if (random() % 2 == 0 || is_full) {
        ASSERT_EQ(index.remove(key_of(number)), !expected.is_none());
        model.erase(number);
      }
      ASSERT_EQ(index.count(), model.size());
    }
    for (u64 number = 0; number < keys; ++number) {
      ASSERT_EQ(!index.find(key_of(number)).is_none(), model.contains(number)) << percent;
      index.remove(key_of(number));
    }
    EXPECT_EQ(index.count(), 0U);
    EXPECT_EQ(no_room, 0U) << percent;
  }
}

// What format promises: as many identities as were asked for find a place, whatever their number.
// Recovery refuses to start otherwise.
TEST(IdentityIndexTest, HoldsAllThatItWasMadeFor) {
  for (const u64 identities_max : {u64{1}, u64{1000}, u64{33'333}, u64{700'001}}) {
    Index one(identities_max);
    for (u64 i = 0; i < identities_max; ++i) {
      ASSERT_TRUE(one.index.insert(key_of(i), account_of(i))) << identities_max << " " << i;
    }
    for (u64 i = 0; i < identities_max; ++i) ASSERT_EQ(one.index.find(key_of(i)), account_of(i));
  }
}

// Numbers are told apart exactly: by type, by length, by leading zeros.
TEST(IdentityIndexTest, EachNumberHasATagOfItsOwn) {
  std::unordered_map<u64, std::string> seen;
  for (const IdentityType type : {IdentityType::msisdn, IdentityType::imsi}) {
    for (std::size_t length = 1; length <= 18; ++length) {
      const std::string ends[] = {std::string(length, '0'), std::string(length, '9'),
                                  std::string(length - 1, '0') + '1',
                                  std::string(length - 1, '9') + '8'};
      for (const std::string& digits : ends) {
        const u64 tag = IdentityIndex::tag_of(number_key(type, digits));
        const auto [at, is_new] = seen.try_emplace(tag, digits);
        EXPECT_TRUE(is_new) << digits << " and " << at->second;
        EXPECT_EQ(tag >> 60, static_cast<u64>(type)) << digits;
      }
    }
  }
  EXPECT_EQ(IdentityIndex::tag_of({}), 0U);
  EXPECT_EQ(IdentityIndex::tag_of(text_key(IdentityType::sip, "a@b")) >> 60, 3U);
}

TEST(IdentityIndexTest, AnIdentityIsThereOnce) {
  Index one(100);
  EXPECT_TRUE(one.index.insert(key_of(1), account_of(1)));
  EXPECT_FALSE(one.index.insert(key_of(1), account_of(2)));
  EXPECT_EQ(one.index.find(key_of(1)), account_of(1));
  EXPECT_TRUE(one.index.remove(key_of(1)));
  EXPECT_FALSE(one.index.remove(key_of(1)));
}

// Entries move while the reader looks; those that stay are never absent, and whoever is found is
// the right one. The writer may lose the processor in the middle of a change: the reader then says
// so, as often as that takes.
TEST(IdentityIndexTest, AReaderBesideTheWriterIsNeverWrong) {
  Index one(100);
  const u64 keys = one.capacity() * 85 / 100;
  for (u64 i = 0; i < keys; i += 2) ASSERT_TRUE(one.index.insert(key_of(i), account_of(i)));
  std::atomic<bool> stop = false;
  std::atomic<u64> wrong = 0;
  std::atomic<u64> missed = 0;
  std::thread reader([&] {
    const IdentityIndex index(one.space.get());
    std::mt19937_64 random(2);
    while (!stop.load()) {
      const u64 number = random() % keys;
      AccountRef found;
      const IdentityIndex::Lookup result = index.look_up(key_of(number), found);
      if (result == IdentityIndex::Lookup::found && found != account_of(number)) ++wrong;
      if (result == IdentityIndex::Lookup::absent && number % 2 == 0) ++missed;
      if (result == IdentityIndex::Lookup::changing && !found.is_none()) ++wrong;
    }
  });
  std::mt19937_64 random(3);
  for (int i = 0; i < 400'000; ++i) {
    const u64 number = (random() % keys) | 1;
    if (!one.index.insert(key_of(number), account_of(number))) one.index.remove(key_of(number));
  }
  stop = true;
  reader.join();
  EXPECT_EQ(wrong.load(), 0U);
  EXPECT_EQ(missed.load(), 0U);
}

// The lines lie behind a header of one line; each has its sequence in its last four octets.
TEST(IdentityIndexTest, AWriterThatWasKilledHarmsNobody) {
  Index one(60);
  const u64 keys = one.capacity() * 80 / 100;
  for (u64 i = 0; i < keys; ++i) ASSERT_TRUE(one.index.insert(key_of(i), account_of(i)));
  std::mt19937_64 random(4);
  for (int round = 0; round < 60; ++round) {
    const u64 line = random() % one.index.line_count();
    u8* begin = one.space.get() + 64 * (1 + line);
    begin[60] |= 1;  // killed in the middle of writing one of its entries
    const u64 half_written = 1;
    u64 lost = 0;
    u8* entry = begin + 8 * (random() % 5);
    std::memcpy(&lost, entry, sizeof lost);
    std::memcpy(entry, &half_written, 8);
    for (u64 i = 0; i < keys; ++i) {  // ends, and knows the right account or none
      const AccountRef found = one.index.find(key_of(i));
      ASSERT_TRUE(found.is_none() || found == account_of(i));
    }
    ASSERT_EQ(one.index.mend(), 1U);
    ASSERT_EQ(one.index.mend(), 0U);
    for (u64 i = 0; i < keys; ++i) {
      if (one.index.find(key_of(i)).is_none()) {
        ASSERT_EQ(IdentityIndex::tag_of(key_of(i)), lost) << "only what was being written is gone";
        ASSERT_TRUE(one.index.insert(key_of(i), account_of(i)));
      }
    }
    ASSERT_EQ(one.index.count(), keys);
  }
}

}  // namespace
}  // namespace tollgate::ledger
