#!/bin/sh
# Makes the small videos of this folder with ffmpeg (libx264, libx265, libvpx, libsvtav1); made once with 5.1, and kept.
set -e
cd "$(dirname "$0")"
q="-hide_banner -loglevel error -y"
S="-f lavfi -i testsrc2=s=48x48:r=25:d=2"
X="-c:v libx264 -pix_fmt yuv420p -crf 38 -threads 1"
ffmpeg $q $S $X -g 12 plain.mp4
ffmpeg $q -i plain.mp4 -c copy plain.mkv
ffmpeg $q -i plain.mp4 -c copy -bsf:v h264_mp4toannexb raw.h264
ffmpeg $q $S $X -g 12 -muxrate 0 stream.ts
cat stream.ts stream.ts > joined.ts
ffmpeg $q $S -c:v mpeg2video -q:v 31 -g 12 -bf 2 program.mpg
ffmpeg $q -ss 0.7 -i plain.mp4 -c copy cut.mp4
ffmpeg $q $S $X -bf 2 -g 12 reordered.avi
ffmpeg $q $S $X -x264-params intra-refresh=1:keyint=12 refresh.mp4
ffmpeg $q $S $X -x264-params open-gop=1:keyint=12:bframes=3 open.mp4
ffmpeg $q -i open.mp4 -c copy open.mkv
ffmpeg $q $S $X -g 12 -movflags frag_keyframe+empty_moov fragments.mp4
ffmpeg $q $S -c:v libvpx-vp9 -b:v 20k -f webm - > live.webm
ffmpeg $q $S -c:v libx265 -x265-params log-level=error:keyint=12 -crf 38 hevc.mp4
ffmpeg $q -f lavfi -i testsrc2=s=64x64:r=25:d=1 -c:v libsvtav1 -crf 60 -g 12 av1.mp4 2> /dev/null
ffmpeg $q -f lavfi -i testsrc2=s=64x64:r=25:d=0.4 -c:v libx265 -x265-params log-level=error -crf 38 -pix_fmt yuv420p10le -color_trc smpte2084 -color_primaries bt2020 -colorspace bt2020nc hdr.mp4
ffmpeg $q -f lavfi -i testsrc2=s=48x48:r=25:d=1 -vf setsar=2 $X aspect.mp4
ffmpeg $q -f lavfi -i testsrc2=s=48x48:r=25:d=2 -vf "select='not(mod(n\,3))+not(mod(n\,5))'" -vsync vfr $X variable.mp4
ffmpeg $q -f lavfi -i testsrc2=s=50x38:r=25:d=1 $X odd.mp4
ffmpeg $q $S -c:v mpeg4 -q:v 31 -g 12 -bf 0 mpeg4.avi
ffmpeg $q -f lavfi -i color=0xC02030:s=48x48:d=0.2 -vf scale=out_color_matrix=bt709,format=yuv420p,setparams=colorspace=unknown $X untagged.mp4
ffmpeg $q -f lavfi -i color=0xC02030:s=48x48:d=0.2 -vf scale=out_color_matrix=bt709:out_range=full,format=yuv420p,setparams=colorspace=bt709:range=full $X -color_range pc -colorspace bt709 tagged.mp4
ffmpeg $q -f lavfi -i testsrc2=s=48x48:r=25:d=0.04 $X one.mp4
ffmpeg $q -f lavfi -i testsrc2=s=48x48:r=25:d=1 $X -flags +ilme+ildct -x264-params tff=1 -vf tinterlace=interleave_top interlaced.mp4
ffmpeg $q -f lavfi -i testsrc2=s=48x48:r=10:d=2 -vf fps=30 $X -bf 0 repeated.mp4
ffmpeg $q -f lavfi -i testsrc2=s=48x48:r=25:d=0.04 -frames:v 1 c.png
ffmpeg $q -f lavfi -i sine=d=0.2 -i c.png -map 0 -map 1 -c:a aac -b:a 8k -c:v copy -disposition:v attached_pic song.m4a
ffmpeg $q -f lavfi -i sine=d=0.2 -c:a aac -b:a 8k sound.m4a
rm c.png
