// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "diameter/frame.hh"

#include <gtest/gtest.h>

#include <random>

#include "diameter/sample_messages.hh"

namespace tollgate::diameter {
namespace {

using samples::Message;

// Feeds `stream` in chunks of random lengths, as a caller does who keeps what was not consumed.
std::vector<Message> cut_at_random(const Message& stream, Framer& framer, std::mt19937& random,
                                   bool with_stops) {
  std::vector<Message> messages;
  std::size_t at = 0;
  int idle_count = 0;
  while ((at < stream.size() || framer.buffered_bytes() != 0) && idle_count < 1000) {
    const std::size_t length = std::min<std::size_t>(random() % 2000, stream.size() - at);
    const FrameProgress progress =
        framer.feed(Bytes(stream).subspan(at, length), [&](Bytes message) {
          const Take take = with_stops ? static_cast<Take>(random() % 3) : Take::next;
          if (take != Take::stop_before) messages.emplace_back(message.begin(), message.end());
          return take;
        });
    at += progress.consumed_bytes;
    idle_count = progress.consumed_bytes + progress.message_count == 0 ? idle_count + 1 : 0;
  }
  return messages;
}

TEST(FramerTest, GivesTheSameMessagesHoweverTheStreamIsCut) {
  const std::vector<Message> wanted{samples::data_update(), samples::sms_event(),
                                    samples::data_answer(), samples::data_update(8)};
  Message stream;
  for (const Message& message : wanted) stream.insert(stream.end(), message.begin(), message.end());
  std::vector<u8> buffer(4096);
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    Framer framer(buffer);
    EXPECT_EQ(cut_at_random(stream, framer, random, round % 2 == 1), wanted) << "round " << round;
    EXPECT_EQ(framer.buffered_bytes(), 0u);
  }
}

TEST(FramerTest, HandsOnWithoutACopyWhatLiesWhole) {
  const Message message = samples::data_update();
  std::vector<u8> buffer(4096);
  Framer framer(buffer);
  const FrameProgress progress = framer.feed(message, [&](Bytes whole) {
    EXPECT_EQ(whole.data(), message.data());
    return Take::next;
  });
  EXPECT_EQ(progress.consumed_bytes, message.size());
  EXPECT_EQ(progress.message_count, 1u);
}

TEST(FramerTest, StopsBeforeAndAfterAMessage) {
  Message stream = samples::sms_event();
  const std::size_t one = stream.size();
  stream.insert(stream.end(), stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(one));
  std::vector<u8> buffer(4096);
  Framer framer(buffer);
  FrameProgress progress = framer.feed(stream, [](Bytes) { return Take::stop_after; });
  EXPECT_TRUE(progress.stopped);
  EXPECT_EQ(progress.consumed_bytes, one);
  EXPECT_EQ(progress.message_count, 1u);
  progress = framer.feed(stream, [](Bytes) { return Take::stop_before; });
  EXPECT_TRUE(progress.stopped);
  EXPECT_EQ(progress.consumed_bytes, 0u);
  EXPECT_EQ(progress.message_count, 0u);
}

TEST(FramerTest, OffersAGatheredMessageAgain) {
  const Message message = samples::sms_event();
  std::vector<u8> buffer(4096);
  Framer framer(buffer);
  framer.feed(Bytes(message).first(100), [](Bytes) { return Take::next; });
  FrameProgress progress =
      framer.feed(Bytes(message).subspan(100), [](Bytes) { return Take::stop_before; });
  EXPECT_EQ(progress.consumed_bytes, message.size() - 100);
  EXPECT_EQ(progress.message_count, 0u);
  progress = framer.feed({}, [&](Bytes again) {
    EXPECT_EQ(Message(again.begin(), again.end()), message);
    return Take::next;
  });
  EXPECT_EQ(progress.message_count, 1u);
}

TEST(FramerTest, NamesWhatIsWrongWithAHeader) {
  struct Row {
    std::array<u8, 4> head;
    FrameError error;
    ResultCode code;
  };
  for (const Row& row : {
           Row{{2, 0, 0, 20}, FrameError::wrong_version, ResultCode::unsupported_version},
           Row{{1, 0, 0, 19}, FrameError::length_too_short, ResultCode::invalid_message_length},
           Row{{1, 0, 16, 4}, FrameError::length_too_long, ResultCode::invalid_message_length},
           Row{{1, 0, 0, 22}, FrameError::length_unaligned, ResultCode::invalid_message_length},
           Row{{1, 0, 0, 20}, FrameError::none, ResultCode::none},
           Row{{1, 0, 16, 0}, FrameError::none, ResultCode::none},
       }) {
    for (const std::size_t cut : {0, 3, 19, 20}) {
      Message stream(20);
      std::copy(row.head.begin(), row.head.end(), stream.begin());
      std::vector<u8> buffer(4096);
      Framer framer(buffer);
      framer.feed(Bytes(stream).first(cut), [](Bytes) { return Take::next; });
      const FrameProgress progress =
          framer.feed(Bytes(stream).subspan(cut), [](Bytes) { return Take::next; });
      EXPECT_EQ(framer.feed({}, [](Bytes) { return Take::next; }).error, row.error);
      EXPECT_EQ(result_code(row.error), row.code);
      if (row.error != FrameError::none) {
        EXPECT_EQ(progress.message_count, 0u);
        EXPECT_EQ(framer.broken_header().size(), header_bytes);
      }
    }
  }
}

}  // namespace
}  // namespace tollgate::diameter
