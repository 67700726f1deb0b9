#include "lake/scan/kept_files.h"

#include <array>

#include <gtest/gtest.h>

namespace df::lake {
namespace {

class KeptFilesTest : public ::testing::Test {
 protected:
  void Get(size_t file) {
    ASSERT_TRUE(files_
                    .Get(summaries_.at(file),
                         [this]() -> Result<std::shared_ptr<TableFile>> {
                           ++num_opened_;
                           return std::shared_ptr<TableFile>();
                         })
                    .ok());
  }

  std::array<FileSummary, KeptFiles::kMost + 2> summaries_;
  KeptFiles files_;
  int num_opened_ = 0;
};

TEST_F(KeptFilesTest, TheFilesUsedLastStayOpen) {
  constexpr auto kMost = static_cast<int>(KeptFiles::kMost);
  for (int round = 0; round < 3; ++round) {
    for (size_t file = 0; file < KeptFiles::kMost; ++file) {
      Get(file);
    }
  }
  EXPECT_EQ(num_opened_, kMost);
  Get(0);  // now 1 is the one that was not used for longest
  Get(KeptFiles::kMost);
  EXPECT_EQ(num_opened_, kMost + 1);
  Get(0);
  EXPECT_EQ(num_opened_, kMost + 1);
  Get(1);
  EXPECT_EQ(num_opened_, kMost + 2);
}

TEST_F(KeptFilesTest, AFileThatIsForgottenIsOpenedAnew) {
  Get(0);
  Get(1);
  files_.Forget(summaries_[0]);
  Get(1);
  EXPECT_EQ(num_opened_, 2);
  Get(0);
  EXPECT_EQ(num_opened_, 3);
}

TEST_F(KeptFilesTest, AFileThatCannotBeOpenedIsAskedForAgain) {
  const auto fails = []() -> Result<std::shared_ptr<TableFile>> {
    return Status::IOError("Permission denied");
  };
  EXPECT_FALSE(files_.Get(summaries_[0], fails).ok());
  Get(0);
  EXPECT_EQ(num_opened_, 1);
}

}  // namespace
}  // namespace df::lake
