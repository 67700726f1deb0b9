#include "runtime/thread_channel.h"

#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/worker_thread.h"

namespace df::runtime {
namespace {

using Message = std::unique_ptr<int>;

Task<> PopUntilEnd(EventLoop* loop, ThreadChannel<Message>* channel, std::vector<int>* values) {
  while (std::optional<Message> message = co_await channel->Pop()) {
    values->push_back(**message);
  }
  loop->Stop();
}

Task<> PopSome(EventLoop* loop, ThreadChannel<Message>* channel, int count,
               std::vector<int>* values) {
  for (int i = 0; i < count; ++i) {
    std::optional<Message> message = co_await channel->Pop();
    values->push_back(**message);
  }
  channel->Close();
  while (std::optional<Message> message = co_await channel->Pop()) {
    values->push_back(**message);
  }
  loop->Stop();
}

TEST(ThreadChannel, DeliversEveryMessageInOrder) {
  const uint32_t seed = testing::UnitTest::GetInstance()->random_seed();
  SCOPED_TRACE(testing::Message() << "seed " << seed << " (GTEST_RANDOM_SEED)");
  std::mt19937 random(seed);
  for (int round = 0; round < 20; ++round) {
    EventLoop loop;
    ThreadChannel<Message> channel(&loop, {.max_messages = 1 + static_cast<int64_t>(random() % 4),
                                           .max_bytes = 1 + static_cast<int64_t>(random() % 20)});
    std::vector<int64_t> sizes;
    for (int i = 0; i < 500; ++i) {
      sizes.push_back(static_cast<int64_t>(random() % 10));
    }
    WorkerThread worker("producer", std::nullopt, [&] {
      for (size_t i = 0; i < sizes.size(); ++i) {
        ASSERT_TRUE(channel.Push(std::make_unique<int>(static_cast<int>(i)), sizes[i]));
      }
      channel.Close();
    });
    std::vector<int> values;
    Task<> consumer = PopUntilEnd(&loop, &channel, &values);
    consumer.Start();
    loop.Run();
    ASSERT_EQ(values.size(), sizes.size());
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(values[i], static_cast<int>(i));
    }
  }
}

TEST(ThreadChannel, CloseFreesABlockedProducerAndWhatIsBufferedArrives) {
  EventLoop loop;
  ThreadChannel<Message> channel(&loop, {.max_messages = 2});
  std::atomic<int> num_sent{0};
  WorkerThread worker("producer", std::nullopt, [&] {
    while (channel.Push(std::make_unique<int>(num_sent.load()), 1)) {
      ++num_sent;
    }
  });
  std::vector<int> values;
  Task<> consumer = PopSome(&loop, &channel, 10, &values);
  consumer.Start();
  loop.Run();
  worker.Join();
  EXPECT_EQ(static_cast<int>(values.size()), num_sent.load());
  EXPECT_GE(values.size(), 10u);
}

TEST(ThreadChannel, CloseAloneFreesABlockedProducer) {
  for (int round = 0; round < 200; ++round) {
    EventLoop loop;
    ThreadChannel<Message> channel(&loop, {.max_messages = 2});
    std::atomic<int> num_sent{0};
    WorkerThread worker("producer", std::nullopt, [&] {
      while (channel.Push(std::make_unique<int>(0), 1)) {
        ++num_sent;
      }
    });
    while (num_sent < 2) {
      std::this_thread::yield();
    }
    channel.Close();
    worker.Join();
    EXPECT_EQ(num_sent, 2);
  }
}

TEST(ThreadChannel, AnEmptyChannelAdmitsOneMessageOfAnySize) {
  EventLoop loop;
  ThreadChannel<Message> channel(&loop, {.max_messages = 3, .max_bytes = 1});
  EXPECT_TRUE(channel.Push(std::make_unique<int>(1), 1'000'000));
  channel.Close();
  EXPECT_FALSE(channel.Push(std::make_unique<int>(2), 0));
}

TEST(ThreadChannel, ManyProducersLoseNothing) {
  EventLoop loop;
  ThreadChannel<Message> channel(&loop, {.max_messages = 3});
  std::atomic<int> num_left{4};
  std::vector<std::unique_ptr<WorkerThread>> workers;
  for (int worker = 0; worker < 4; ++worker) {
    workers.push_back(std::make_unique<WorkerThread>("producer", std::nullopt, [&, worker] {
      for (int i = 0; i < 200; ++i) {
        ASSERT_TRUE(channel.Push(std::make_unique<int>(worker * 1000 + i), 1));
      }
      if (--num_left == 0) {
        channel.Close();
      }
    }));
  }
  std::vector<int> values;
  Task<> consumer = PopUntilEnd(&loop, &channel, &values);
  consumer.Start();
  loop.Run();
  ASSERT_EQ(values.size(), 800u);
  std::vector<int> last(4, -1);
  for (const int value : values) {
    int& previous = last[static_cast<size_t>(value / 1000)];
    EXPECT_EQ(value % 1000, previous + 1);
    previous = value % 1000;
  }
}

}  // namespace
}  // namespace df::runtime
