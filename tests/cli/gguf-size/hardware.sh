# a table of the user's: new devices, other numbers for known ones, and what is wrong with one
cat >$TMP/mine.csv <<'EOF'
# mine
name,kind,memory_GiB,bandwidth_GBs,efficiency,layer_us,prompt_TFLOPS,basis
Voodoo 9000,cuda,20,500,0.8,90,30,class
RTX 4090 24GB,cuda,23,1008,0.5,60,110,measured
EOF
gguf-size --hardware $TMP/mine.csv --devices | grep -E 'Voodoo|RTX 4090'
gguf-size --hardware $TMP/mine.csv --gpu voodoo --ram 32G --cpu-bandwidth 50 --params 14B | sed -n 2p
for row in 'A,cuda,20' 'A,cuda,20,0,0.8,90,30,class' 'A,quantum,20,1,0.8,90,30,class' 'A,cuda,20,1,2,90,30,class' 'A,cuda,20,nan,0.8,90,30,class' 'A,cuda,20,1,0.8,90,30,hope' ',cuda,20,1,0.8,90,30,fit'; do
  echo "$row" >$TMP/bad.csv
  gguf-size --hardware $TMP/bad.csv --devices
done
gguf-size --hardware $TMP/none.csv --devices
