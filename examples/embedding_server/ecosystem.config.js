// pm2 start ecosystem.config.js --only after
// pm2 starts programs, and knows nothing of their threads: omp-magic run does, and becomes gunicorn.
module.exports = {
  apps: [
    {
      name: "before",
      script: "gunicorn",
      args: "--config gunicorn_conf.py --preload rumour:app",
      interpreter: "none",
      env: { MKL_THREADING_LAYER: "INTEL" },
    },
    {
      name: "after",
      script: "omp-magic",
      args: "run --workers 2 -- gunicorn --config gunicorn_conf.py server:app",
      interpreter: "none",
    },
  ],
};
